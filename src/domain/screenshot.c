/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json-read.h"
#include "domain/domain-internal.h"

/*
 * A picture of a display. QEMU writes it to a file in memory, of which it has a descriptor; so nothing is left on a
 * disk, and no two have to agree on a place there:
 *
 *   add-fd         once for each connection: QEMU says which number the descriptor has in it, N
 *   screendump     to /proc/self/fd/N, which begins the file anew
 *   a worker       copies it to a file of its own, and seals that: nobody who gets it can change it below
 *                  another one
 *
 * Not with a descriptor for each picture, as one would think: QEMU closes none while its guest is paused
 * (monitor_fdset_cleanup()). And not to /dev/fdset/ID: QEMU 7.2 closes what it has opened so behind the back of the
 * set, which then stays for ever. Either way a client could fill QEMU up.
 *
 * WARNING: the file has no bound while QEMU writes to it. libpng ends the whole process at a failed write, and the
 * guest with it. What is too large is found out afterwards.
 */

/* Not one that a user chooses. */
#define FDSET_ID 0x766d6864

typedef struct Screenshot {
	unsigned ref_count;          /* of the operation, and of what is under way */
	Domain *domain;
	uint64_t operation;
	char *device;
	int64_t head;
	int64_t deadline;            /* of the monotonic clock; -1: none */
	DomainScreenshotDone done;
	void *userdata;

	/* The worker's */
	int from;                    /* a copy of the descriptor of the file QEMU writes to */
	int picture;
	GError *error;
} Screenshot;

static Screenshot *screenshot_ref(Screenshot *screenshot)
{
	screenshot->ref_count++;
	return screenshot;
}

static void screenshot_unref(void *data)
{
	Screenshot *screenshot = data;

	if (--screenshot->ref_count > 0)
		return;
	if (screenshot->from >= 0)
		(void)close(screenshot->from);
	if (screenshot->picture >= 0)
		(void)close(screenshot->picture);
	g_clear_error(&screenshot->error);
	g_free(screenshot->device);
	domain_unref(screenshot->domain);
	g_free(screenshot);
}

/* ---- files in memory ---- */

static int make_file(GError **error)
{
	int fd = memfd_create("vmherald-screenshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		core_error_set_errno(error, errno, "A file in memory for the screenshot");
	return fd;
}

static bool copy(int from, int to, GError **error)
{
	char buffer[65536];
	ssize_t n;

	for (off_t at = 0; (n = pread(from, buffer, sizeof(buffer), at)) > 0; at += n)
		if (pwrite(to, buffer, (size_t)n, at) != n)
			break;
	if (n != 0) {
		core_error_set_errno(error, errno, "Copying the screenshot");
		return false;
	}
	return true;
}

static bool check(int fd, GError **error)
{
	static const char signature[8] = "\x89PNG\r\n\x1a\n";
	char found[sizeof(signature)] = { 0 };
	struct stat status;

	if (fstat(fd, &status) < 0 || pread(fd, found, sizeof(found), 0) < 0) {
		core_error_set_errno(error, errno, "The screenshot");
		return false;
	}
	if (status.st_size > DOMAIN_SCREENSHOT_SIZE_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "The screenshot has %" G_GINT64_FORMAT " bytes, more than %u",
			    (int64_t)status.st_size, DOMAIN_SCREENSHOT_SIZE_MAX);
		return false;
	}
	if (memcmp(found, signature, sizeof(signature)) != 0) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_QEMU_ERROR,
			    "screendump: QEMU wrote %" G_GINT64_FORMAT " bytes that are no PNG",
			    (int64_t)status.st_size);
		return false;
	}
	return true;
}

/* ---- the worker ---- */

static StrandStep copy_work(void *data)
{
	Screenshot *screenshot = data;

	if (!check(screenshot->from, &screenshot->error))
		return STRAND_DONE;
	screenshot->picture = make_file(&screenshot->error);
	if (screenshot->picture < 0 ||
	    !copy(screenshot->from, screenshot->picture, &screenshot->error))
		return STRAND_DONE;
	/* It need not be kept twice. */
	(void)ftruncate(screenshot->from, 0);
	if (fcntl(screenshot->picture, F_ADD_SEALS,
		  F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		core_error_set_errno(&screenshot->error, errno, "Sealing the screenshot");
	return STRAND_DONE;
}

static void copy_done(void *data)
{
	Screenshot *screenshot = data;
	Operation *operation = operation_find(screenshot->domain, screenshot->operation);

	if (operation)
		operation_end(operation, NULL, screenshot->error);
}

static const StrandItemClass copy_class = { copy_work, NULL, copy_done, screenshot_unref };

/* ---- the commands ---- */

static int get_time_left_ms(const Screenshot *screenshot)
{
	if (screenshot->deadline < 0)
		return -1;
	return (int)(MAX(screenshot->deadline - g_get_monotonic_time(), 0) / G_TIME_SPAN_MILLISECOND);
}

static void on_dumped(JsonNode *result, const GError *error, void *userdata)
{
	Screenshot *screenshot = userdata;
	Domain *domain = screenshot->domain;
	Operation *operation = operation_find(domain, screenshot->operation);

	if (operation && error) {
		operation_end(operation, NULL, error);
	} else if (operation) {
		screenshot->from = fcntl(domain->screenshot_fd, F_DUPFD_CLOEXEC, 0);
		strand_push(domain->work, &copy_class, screenshot_ref(screenshot));
	}
	screenshot_unref(screenshot);
}

static void dump(Screenshot *screenshot)
{
	Domain *domain = screenshot->domain;
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%" G_GINT64_FORMAT,
						domain->screenshot_number);
	JsonNode *node = call_arguments("filename", path);
	JsonObject *object = json_node_get_object(node);

	json_object_set_string_member(object, "format", "png");
	if (screenshot->device)
		json_object_set_string_member(object, "device", screenshot->device);
	if (screenshot->head >= 0)
		json_object_set_int_member(object, "head", screenshot->head);
	domain_call(domain, "screendump", node, get_time_left_ms(screenshot), on_dumped,
		    screenshot_ref(screenshot));
}

static Operation *find_operation(const Domain *domain)
{
	for (unsigned i = 0; i < domain->operations->len; i++) {
		Operation *operation = g_ptr_array_index(domain->operations, i);

		if (operation->kind == DOMAIN_OPERATION_SCREENSHOT)
			return operation;
	}
	return NULL;
}

/* Who asked for it may have gone meanwhile, and another one be waiting for it. */
static void on_added(JsonNode *result, const GError *error, void *userdata)
{
	Screenshot *asker = userdata;
	Domain *domain = asker->domain;
	g_autoptr(GError) answer_error = NULL;
	Operation *operation;
	int64_t number = -1;

	/* Not if it was for a connection that is gone. */
	if (domain->screenshot_adding == asker->operation) {
		if (!error &&
		    (!json_read_int(json_node_as_object(result), "fd", &number) || number < 0))
			answer_error = g_error_new(CORE_ERROR, CORE_ERROR_QEMU_ERROR, "add-fd: QEMU does "
						   "not say which descriptor it has got");
		domain->screenshot_adding = 0;
		domain->screenshot_number = number;
		operation = find_operation(domain);
		if (operation && (error || answer_error))
			operation_end(operation, NULL, error ? error : answer_error);
		else if (operation)
			dump(operation->userdata);
	}
	screenshot_unref(asker);
}

/* Waits for ever: a descriptor whose number comes too late would be one that QEMU keeps for nothing. */
static void add_descriptor(Screenshot *screenshot)
{
	Domain *domain = screenshot->domain;
	JsonObject *object = json_object_new();
	JsonNode *node = json_node_init_object(json_node_alloc(), object);

	json_object_set_int_member(object, "fdset-id", FDSET_ID);
	json_object_unref(object);
	domain->screenshot_adding = screenshot->operation;
	domain_call_add_fd(domain, node, domain->screenshot_fd, -1, on_added,
			   screenshot_ref(screenshot));
}

/* ---- the operation ---- */

static void on_ended(Domain *domain, const char *result, const GError *error, void *userdata)
{
	Screenshot *screenshot = userdata;

	screenshot->done(domain, error ? -1 : screenshot->picture, error, screenshot->userdata);
	screenshot_unref(screenshot);
}

static void on_timeout(int timer, void *userdata)
{
	Operation *operation = userdata;
	g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_MONITOR_TIMEOUT,
					      "screendump: domain '%s' has not answered in time",
					      domain_get_name(operation->domain));

	operation_end(operation, NULL, error);
}

static bool is_alone(const Domain *domain, GError **error)
{
	if (!find_operation(domain))
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
		    "A screenshot of domain '%s' is being made; wait until it is done",
		    domain_get_name(domain));
	return false;
}

void domain_screenshot(Domain *domain, const char *device, int64_t head, int timeout_ms,
		       DomainScreenshotDone done, void *userdata)
{
	Screenshot *screenshot = g_new0(Screenshot, 1);
	g_autoptr(GError) error = NULL;
	Operation *operation;

	*screenshot = (Screenshot){
		.ref_count = 1,
		.domain = domain_ref(domain),
		.device = g_strdup(device),
		.head = head,
		.deadline = timeout_ms < 0 ? -1 : g_get_monotonic_time() +
						  timeout_ms * (int64_t)G_TIME_SPAN_MILLISECOND,
		.done = done,
		.userdata = userdata,
		.from = -1,
		.picture = -1,
	};
	if (!is_alone(domain, &error)) {
		on_ended(domain, NULL, error, screenshot);
		return;
	}
	operation = operation_begin(domain, DOMAIN_OPERATION_SCREENSHOT, on_ended, screenshot);
	if (!operation)
		return;
	screenshot->operation = operation->id;
	if (domain->screenshot_fd < 0)
		domain->screenshot_fd = make_file(&error);
	if (error) {
		operation_end(operation, NULL, error);
		return;
	}
	operation_set_timer(operation, timeout_ms, on_timeout);
	if (domain->screenshot_number >= 0)
		dump(screenshot);
	else if (domain->screenshot_adding == 0)
		add_descriptor(screenshot);
}

void screenshot_forget_descriptor(Domain *domain)
{
	domain->screenshot_adding = 0;
	domain->screenshot_number = -1;
}

void screenshot_clear(Domain *domain)
{
	screenshot_forget_descriptor(domain);
	if (domain->screenshot_fd >= 0)
		(void)close(domain->screenshot_fd);
	domain->screenshot_fd = -1;
}
