/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "driver-internal.h"

/*
 * QEMUs that somebody else has started become domains:
 *
 *   domain/adoption.c   who is there: name, uuid, process
 *   on_found()          may it be one? a name and a uuid for it; the domain is added
 *   domain/adopt.c      its state; `started`
 *
 * All that is checked here is checked in one turn of the event thread, after the questions: of two calls for one
 * QEMU one wins.
 */

struct DriverAdoption {
	Driver *driver;
	Adoption *adoption;
	uid_t owner;             /* on whose behalf */
	char *name;              /* "": QEMU's own, or one that is made */
	DriverDone done;
	void *userdata;
};

static void free_adoption(void *data)
{
	DriverAdoption *adopting = data;

	adoption_free(adopting->adoption);
	g_free(adopting->name);
	g_free(adopting);
}

/* ---- found ---- */

static Domain *find_by_pid(Driver *driver, pid_t pid)
{
	g_autoptr(GPtrArray) domains = registry_list(driver->registry);

	for (unsigned i = 0; i < domains->len; i++) {
		Domain *domain = g_ptr_array_index(domains, i);

		if (domain_get_pid(domain) == pid)
			return domain;
	}
	return NULL;
}

static bool check_is_new(Driver *driver, const Adoption *adoption, GError **error)
{
	const QemuPeer *peer = adoption_get_peer(adoption);
	const char *uuid = adoption_get_uuid(adoption);
	pid_t pid = peer->process ? qemu_process_get_pid(peer->process) : 0;
	const Domain *domain = pid > 0 ? find_by_pid(driver, pid) : NULL;

	if (domain) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_DOMAIN_EXISTS,
			    "That QEMU (process %d) is domain '%s' already", (int)pid,
			    domain_get_name(domain));
		return false;
	}
	domain = uuid ? registry_find_by_uuid(driver->registry, uuid) : NULL;
	if (domain)
		g_set_error(error, CORE_ERROR, CORE_ERROR_DOMAIN_EXISTS,
			    "That QEMU has the uuid %s, which is that of domain '%s'; undefine the domain "
			    "first, or start QEMU with another -uuid", uuid, domain_get_name(domain));
	return !domain;
}

/* Of the uuid: eight digits of it, or all if somebody has such a name. */
static char *make_name(const Driver *driver, const char *uuid)
{
	char *name = g_strdup_printf("qemu-%.8s", uuid);

	if (!registry_find_by_name(driver->registry, name))
		return name;
	g_free(name);
	return g_strdup_printf("qemu-%s", uuid);
}

static char *choose_name(const DriverAdoption *adopting, const char *uuid)
{
	const char *own = adoption_get_name(adopting->adoption);

	if (*adopting->name)
		return g_strdup(adopting->name);
	if (own && definition_name_is_valid(own) &&
	    !registry_find_by_name(adopting->driver->registry, own))
		return g_strdup(own);
	return make_name(adopting->driver, uuid);
}

/* Not all that the kernel takes for a path can be in a definition. */
static const char *get_emulator(const QemuPeer *peer)
{
	return peer->emulator && g_utf8_validate(peer->emulator, -1, NULL) ? peer->emulator : NULL;
}

static Definition *make_definition(const DriverAdoption *adopting, GError **error)
{
	const Adoption *adoption = adopting->adoption;
	const QemuPeer *peer = adoption_get_peer(adoption);
	/* Kept for as long as it is adopted, also over restarts of the service (run file). */
	g_autofree char *uuid = adoption_get_uuid(adoption) ? g_strdup(adoption_get_uuid(adoption))
							     : g_uuid_string_random();
	g_autofree char *name = choose_name(adopting, uuid);

	return adopted_make_definition(name, uuid, get_emulator(peer), adoption_get_machine(adoption),
				       (const char *const *)peer->arguments,
				       adoption_keeps_shut_down(adoption), error);
}

static Domain *add_domain(DriverAdoption *adopting, GError **error)
{
	Driver *driver = adopting->driver;
	const Adoption *adoption = adopting->adoption;
	g_autoptr(Definition) definition = NULL;
	Domain *domain;

	if (!check_is_new(driver, adoption, error) || !driver_check_owner(driver, adopting->owner, true, error))
		return NULL;
	definition = make_definition(adopting, error);
	if (!definition || !registry_hold(driver->registry, definition, NULL, error))
		return NULL;
	registry_release(driver->registry, definition);
	domain = domain_new(&driver->host, definition_ref(definition), false);
	domain_set_adopted(domain, adopted_new(adoption_get_by(adoption), adoption_get_path(adoption),
					       adoption_get_cpus(adoption),
					       adoption_get_memory(adoption)));
	domain_set_owner(domain, adopting->owner);
	driver_add_domain(driver, domain);
	return domain;
}

typedef struct AdoptAnswer {
	DriverDone done;
	void *userdata;
} AdoptAnswer;

static void on_adopted(Domain *domain, const char *result, const GError *error, void *userdata)
{
	AdoptAnswer *answer = userdata;

	answer->done(error ? NULL : domain, error, answer->userdata);
	g_free(answer);
}

static void on_found(Adoption *adoption, const GError *error, void *userdata)
{
	DriverAdoption *adopting = userdata;
	g_autoptr(GError) add_error = NULL;
	g_autoptr(Domain) domain = error ? NULL : add_domain(adopting, &add_error);
	AdoptAnswer *answer = g_new0(AdoptAnswer, 1);

	answer->done = adopting->done;
	answer->userdata = adopting->userdata;
	if (domain)
		domain_adopt(domain, adoption, on_adopted, answer);
	else
		on_adopted(NULL, NULL, error ? error : add_error, answer);
	(void)g_ptr_array_remove_fast(adopting->driver->adoptions, adopting);
}

/* ---- asked for ---- */

static bool check_name(const Driver *driver, const char *name, GError **error)
{
	if (*name && !definition_name_is_valid(name)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "name: '%s' is no name for a domain: 1 to %u of letters, digits, '.', '_', "
			    "'+', '-', not starting with '.' or '-'; empty: QEMU is asked", name,
			    DEFINITION_NAME_MAX);
		return false;
	}
	if (*name && registry_find_by_name(driver->registry, name)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_DOMAIN_EXISTS,
			    "There is a domain '%s' already; adopt this one by another name", name);
		return false;
	}
	return true;
}

static bool check_path(const Driver *driver, const char *path, GError **error)
{
	g_autoptr(GPtrArray) domains = registry_list(driver->registry);

	for (unsigned i = 0; i < domains->len; i++) {
		const Domain *domain = g_ptr_array_index(domains, i);

		if (g_strcmp0(domain_get_adopted_path(domain), path) == 0) {
			g_set_error(error, CORE_ERROR, CORE_ERROR_DOMAIN_EXISTS,
				    "%s: is the monitor of domain '%s' already", path,
				    domain_get_name(domain));
			return false;
		}
	}
	for (unsigned i = 0; i < driver->adoptions->len; i++) {
		const DriverAdoption *other = g_ptr_array_index(driver->adoptions, i);

		if (g_strcmp0(adoption_get_path(other->adoption), path) == 0) {
			g_set_error(error, CORE_ERROR, CORE_ERROR_DOMAIN_EXISTS,
				    "%s: is being adopted at this moment, by another call", path);
			return false;
		}
	}
	return true;
}

static bool check_descriptor(int fd, GError **error)
{
	int type = 0, listening = 0;
	socklen_t length = sizeof(type);
	struct sockaddr_storage address;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM &&
	    (length = sizeof(listening),
	     getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0) && !listening &&
	    (length = sizeof(address), getpeername(fd, (struct sockaddr *)&address, &length) == 0))
		return true;
	g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
		    "monitor-fd: is no connected stream socket; give one that has been connected to a "
		    "monitor of QEMU");
	return false;
}

static bool check_request(const Driver *driver, const char *name, const char *path, int fd,
			  GError **error)
{
	if (driver->adoptions->len >= DRIVER_ADOPTIONS_MAX) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_LIMIT_EXCEEDED,
			    "%u adoptions are under way; wait until some have ended",
			    driver->adoptions->len);
		return false;
	}
	if ((*path == '\0') != (fd >= 0)) {
		g_set_error(error, CORE_ERROR, CORE_ERROR_INVALID_ARGUMENT,
			    "monitor: '%s'%s: give either the path of a socket, or a connection as "
			    "monitor-fd", path, fd >= 0 ? " and monitor-fd" : "");
		return false;
	}
	return check_name(driver, name, error) &&
	       (fd >= 0 ? check_descriptor(fd, error) : check_path(driver, path, error));
}

void driver_adopt(Driver *driver, uid_t owner, const char *name, const char *path, int fd, int timeout_ms,
		  DriverDone done, void *userdata)
{
	g_autoptr(GError) error = NULL;
	DriverAdoption *adopting;

	if (!driver_check_owner(driver, owner, true, &error) || !check_request(driver, name, path, fd, &error)) {
		if (fd >= 0)
			(void)close(fd);
		done(NULL, error, userdata);
		return;
	}
	adopting = g_new0(DriverAdoption, 1);
	adopting->driver = driver;
	adopting->owner = owner;
	adopting->name = g_strdup(name);
	adopting->done = done;
	adopting->userdata = userdata;
	adopting->adoption = adoption_new(driver->loop, driver->pool,
					  fd >= 0 ? ADOPTED_BY_DESCRIPTOR : ADOPTED_BY_PATH,
					  fd >= 0 ? NULL : path, fd, timeout_ms, on_found, adopting);
	g_ptr_array_add(driver->adoptions, adopting);
}

void driver_adopt_init(Driver *driver)
{
	driver->adoptions = g_ptr_array_new_with_free_func(free_adoption);
}

void driver_adopt_close(Driver *driver)
{
	g_autoptr(GError) error = g_error_new(CORE_ERROR, CORE_ERROR_IO, "The service is leaving");

	while (driver->adoptions->len > 0) {
		DriverAdoption *adopting = g_ptr_array_index(driver->adoptions, 0);

		adopting->done(NULL, error, adopting->userdata);
		g_ptr_array_remove_index_fast(driver->adoptions, 0);
	}
}
