/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/chains.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/boot-id.h"
#include "base/error.h"

#define FILE_NAME   "chains"
#define FILE_MAGIC  "vmheraldchain2"
#define GROWTH      64u          /* links that the file grows by */

/* The numbers of one domain. In the file its place is free if uuid is empty. */
typedef struct Link {
	char uuid[40];
	uint64_t newest;             /* of them all */
	uint64_t last[EVENT_KIND_MAX];
} Link;

/* The file. Host byte order: it never leaves the machine. */
typedef struct ChainsFile {
	char magic[16];
	char boot_id[48];
	char layout[72];             /* SHA-256 of it, as text */
	Link links[CHAINS_KEPT_MAX];
} ChainsFile;

struct Chains {
	ChainsFile *file;            /* NULL: in memory alone */
	int fd;
	unsigned n_links;            /* that the file has places for */
	GHashTable *table;           /* uuid -> Link, of the file or its own memory */
	GQueue free;                 /* Link of the file */
};

static off_t size_of(unsigned n_links)
{
	return (off_t)(offsetof(ChainsFile, links) + n_links * sizeof(Link));
}

static bool is_in_file(const Chains *chains, const Link *link)
{
	return chains->file && link >= chains->file->links &&
	       link < chains->file->links + CHAINS_KEPT_MAX;
}

static void release(Chains *chains, Link *link)
{
	if (!is_in_file(chains, link)) {
		g_free(link);
		return;
	}
	link->uuid[0] = '\0';
	g_queue_push_head(&chains->free, link);
}

static void grow(Chains *chains)
{
	unsigned wanted = MIN(chains->n_links + GROWTH, CHAINS_KEPT_MAX);

	/* Allocated before it is used: a full disk must not turn into a fault at a later store. */
	if (!chains->file || wanted == chains->n_links ||
	    posix_fallocate(chains->fd, 0, size_of(wanted)) != 0)
		return;
	for (; chains->n_links < wanted; chains->n_links++)
		g_queue_push_tail(&chains->free, &chains->file->links[chains->n_links]);
}

static Link *take_link(Chains *chains, const char *uuid)
{
	Link *link;

	if (g_queue_is_empty(&chains->free))
		grow(chains);
	link = g_queue_pop_head(&chains->free);
	if (!link)
		link = g_new0(Link, 1);
	memset(link, 0, sizeof(*link));
	/* The first character makes it count: a kill in between leaves a free place. */
	g_strlcpy(link->uuid + 1, uuid + 1, sizeof(link->uuid) - 1);
	__atomic_store_n(&link->uuid[0], uuid[0], __ATOMIC_SEQ_CST);
	g_hash_table_insert(chains->table, link->uuid, link);
	return link;
}

uint64_t chains_get(const Chains *chains, const char *uuid, EventKind kind)
{
	const Link *link = g_hash_table_lookup(chains->table, uuid);

	return link ? link->last[kind] : 0;
}

uint64_t chains_get_newest(const Chains *chains, const char *uuid)
{
	const Link *link = g_hash_table_lookup(chains->table, uuid);

	return link ? link->newest : 0;
}

void chains_set(Chains *chains, const char *uuid, EventKind kind, uint64_t sequence)
{
	Link *link = g_hash_table_lookup(chains->table, uuid);

	if (!link)
		link = take_link(chains, uuid);
	link->last[kind] = sequence;
	link->newest = sequence;
}

void chains_forget(Chains *chains, const char *uuid)
{
	Link *link = g_hash_table_lookup(chains->table, uuid);

	if (!link)
		return;
	(void)g_hash_table_remove(chains->table, uuid);
	release(chains, link);
}

void chains_forget_others(Chains *chains, bool (*is_known)(const char *uuid, void *userdata), void *userdata)
{
	GHashTableIter iter;
	void *link;

	g_hash_table_iter_init(&iter, chains->table);
	while (g_hash_table_iter_next(&iter, NULL, &link)) {
		if (is_known(((Link *)link)->uuid, userdata))
			continue;
		g_hash_table_iter_remove(&iter);
		release(chains, link);
	}
}

/* ---- the file ---- */

static bool is_of_this(const ChainsFile *file, const char *boot_id, const char *layout)
{
	return memcmp(file->magic, FILE_MAGIC, sizeof(FILE_MAGIC)) == 0 && *boot_id != '\0' &&
	       memchr(file->boot_id, '\0', sizeof(file->boot_id)) &&
	       g_str_equal(file->boot_id, boot_id) &&
	       memchr(file->layout, '\0', sizeof(file->layout)) && g_str_equal(file->layout, layout);
}

static void read_links(Chains *chains)
{
	for (unsigned i = 0; i < chains->n_links; i++) {
		Link *link = &chains->file->links[i];
		bool counts = link->uuid[0] != '\0' && memchr(link->uuid, '\0', sizeof(link->uuid)) &&
			      !g_hash_table_contains(chains->table, link->uuid);

		if (counts) {
			g_hash_table_insert(chains->table, link->uuid, link);
		} else {
			link->uuid[0] = '\0';
			g_queue_push_tail(&chains->free, link);
		}
	}
}

static bool map_file(Chains *chains, const char *path, GError **error)
{
	struct stat status;
	void *memory;

	chains->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (chains->fd < 0 || fstat(chains->fd, &status) < 0) {
		core_error_set_errno(error, errno, "%s: cannot be opened", path);
		return false;
	}
	if (status.st_size < size_of(0) || status.st_size > size_of(CHAINS_KEPT_MAX)) {
		status.st_size = size_of(0);
		if (ftruncate(chains->fd, 0) < 0 ||
		    (errno = posix_fallocate(chains->fd, 0, size_of(0))) != 0) {
			core_error_set_errno(error, errno, "%s: cannot be made", path);
			return false;
		}
	}
	/* As large as it may become: what the file does not have yet is not touched. */
	memory = mmap(NULL, sizeof(ChainsFile), PROT_READ | PROT_WRITE, MAP_SHARED, chains->fd, 0);
	if (memory == MAP_FAILED) {
		core_error_set_errno(error, errno, "%s: cannot be mapped", path);
		return false;
	}
	chains->file = memory;
	chains->n_links = (unsigned)((status.st_size - size_of(0)) / (off_t)sizeof(Link));
	return true;
}

Chains *chains_open(const char *directory, const char *boot_id, const char *layout, GError **error)
{
	g_autofree char *path = directory ? g_build_filename(directory, FILE_NAME, NULL) : NULL;
	g_autofree char *this_boot = boot_id ? g_strdup(boot_id) : boot_id_read();
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, layout, -1);
	g_autoptr(Chains) chains = g_new0(Chains, 1);
	ChainsFile *file;

	chains->fd = -1;
	chains->table = g_hash_table_new(g_str_hash, g_str_equal);
	g_queue_init(&chains->free);
	if (!path)
		return g_steal_pointer(&chains);
	if (!map_file(chains, path, error))
		return NULL;
	file = chains->file;
	if (!is_of_this(file, this_boot, digest)) {
		memset(file, 0, (size_t)size_of(chains->n_links));
		g_strlcpy(file->boot_id, this_boot, sizeof(file->boot_id));
		g_strlcpy(file->layout, digest, sizeof(file->layout));
		memcpy(file->magic, FILE_MAGIC, sizeof(FILE_MAGIC));
	}
	read_links(chains);
	return g_steal_pointer(&chains);
}

Chains *chains_close(Chains *chains)
{
	GHashTableIter iter;
	void *link;

	if (!chains)
		return NULL;
	g_hash_table_iter_init(&iter, chains->table);
	while (g_hash_table_iter_next(&iter, NULL, &link))
		if (!is_in_file(chains, link))
			g_free(link);
	g_hash_table_unref(chains->table);
	g_queue_clear(&chains->free);
	if (chains->file)
		(void)munmap(chains->file, sizeof(*chains->file));
	if (chains->fd >= 0)
		(void)close(chains->fd);
	g_free(chains);
	return NULL;
}
