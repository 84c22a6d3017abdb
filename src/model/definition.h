/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What a domain is to be: a JSON document in, a validated value out, and back.
 *
 * A few keys are ours and are validated strictly: an unknown key, a wrong type or a bad value is a
 * problem that names its path ("interfaces[0].mac: ..."). Everything QEMU itself models is a
 * list of QAPI objects that pass through unchanged; QEMU is the validator of its own part.
 *
 * Pure: no files, no process, no clock (but a uuid or MAC that is missing is made up).
 * A Definition is immutable and may be read on any thread; its reference count is atomic.
 */

#define DEFINITION_LENGTH_MAX   (4u * 1024 * 1024)
#define DEFINITION_NESTING_MAX  64u
#define DEFINITION_NAME_MAX     64u
#define DEFINITION_TITLE_MAX    1024u
#define DEFINITION_LIST_MAX     1024u    /* entries of each list */
#define DEFINITION_CPUS_MAX     1024u
#define DEFINITION_MEMORY_MAX   (UINT64_C(1) << 46)
#define DEFINITION_PROBLEMS_MAX 64u      /* after these, one more says that there are others */
#define DEFINITION_ID_MAX       128u     /* bytes of an interface's id */
#define DEFINITION_WORD_MAX     4096u    /* bytes of emulator, cpu, model and the like */
#define DEFINITION_CONSOLES_MAX 16u      /* each has a log and its old ones */
#define DEFINITION_INTERFACE_LENGTH_MAX (64u * 1024)   /* bytes of one that is read by itself */
#define DEFINITION_QUEUES_MAX   16u
#define DEFINITION_LINK_NAME_MAX 15u     /* bytes of the name of a link (IFNAMSIZ without its end) */
#define DEFINITION_NIC_DESCRIPTORS_MAX 128u   /* that QEMU gets for all interfaces together */
#define DEFINITION_ARGUMENT_MAX 131071u  /* bytes; Linux takes no longer argument (MAX_ARG_STRLEN) */

/* What to do when the guest shuts down, reboots, panics, or QEMU itself dies. */
typedef enum DefinitionPolicy {
	DEFINITION_POLICY_STOP,
	DEFINITION_POLICY_RESTART,
	DEFINITION_POLICY_PRESERVE,
	DEFINITION_POLICY_PAUSE,
	DEFINITION_POLICY_MAX,
} DefinitionPolicy;

/* Both from 1, the column in bytes; 0: of no place in the text. */
typedef struct DefinitionPlace {
	unsigned line, column;
} DefinitionPlace;

typedef struct DefinitionProblem {
	char *path;      /* "interfaces[0].mac"; "" for the document as a whole */
	char *message;
	DefinitionPlace place;
} DefinitionProblem;

void definition_problem_free(DefinitionProblem *problem);

/* The id of an interface's netdev is this and its own. */
#define DEFINITION_NETDEV_PREFIX "host-"

/* A NIC whose host side is ours. */
typedef struct DefinitionInterface {
	char *id;        /* of the device; see DEFINITION_NETDEV_PREFIX */
	char *type;      /* "none" (a NIC with no backend), "user", "tap", "bridge" or "macvtap" */
	char *source;    /* a link, a bridge, or a tap that is there; NULL: none */
	char *mode;      /* of a macvtap, never NULL there: "bridge", "vepa", "private" or "passthru" */
	unsigned queues; /* pairs of them; 1 to DEFINITION_QUEUES_MAX */
	bool vhost;      /* the kernel moves the packets, not QEMU */
	char *mac;       /* lower case; never NULL: made up (52:54:00:...) if missing */
	char *model;     /* QEMU device driver; default virtio-net-pci */
	char *bus;       /* optional */
	bool trust_guest_rx_filters;
} DefinitionInterface;

/* The id of the device that virtio consoles sit on. */
#define DEFINITION_CONSOLES_DEVICE "vmherald-consoles"

/* A console that nobody reads: what the guest writes there goes to a log. */
typedef struct DefinitionConsole {
	char *id;        /* names the log; of a virtio console also the device */
	char *type;      /* "serial" or "virtio" */
} DefinitionConsole;

/* Either an image, or code and perhaps vars; all NULL: the machine's own. */
typedef struct DefinitionFirmware {
	char *image;     /* absolute path, or a name that QEMU looks up */
	char *code;      /* these are absolute paths */
	char *vars;      /* NULL with a template: the service's own copy */
	char *vars_template;
} DefinitionFirmware;

typedef struct Definition {
	int ref_count;
	char *name;
	char *uuid;                      /* lower case with dashes; never NULL */
	bool has_made_up_uuid;           /* when it was parsed: none was written */
	char *title;                     /* NULL if none */
	char *emulator;                  /* NULL: the default */
	JsonObject *machine;             /* NULL: QEMU's default; else has "type" and options */
	JsonNode *machine_node;          /* owns machine: references to a node are atomic, those to a
					  * JsonObject are not. For definition.c only */
	GStrv accel;                     /* never empty; default kvm, tcg */
	char *cpu;                       /* NULL: best for the accelerator */
	unsigned cpus;
	uint64_t memory;                 /* bytes */
	JsonNode *memory_backend;        /* NULL: QEMU's own; else an object of -object, without id and size */
	DefinitionFirmware firmware;
	GPtrArray *interfaces;           /* DefinitionInterface */
	GPtrArray *consoles;             /* DefinitionConsole */
	GPtrArray *blockdevs;            /* JsonNode, each an object, sealed */
	GPtrArray *netdevs;
	GPtrArray *objects;
	GPtrArray *devices;
	GStrv arguments;
	char *sandbox;                   /* of QEMU's -sandbox; NULL: the safe options, where QEMU knows them */
	bool autostart;
	DefinitionPolicy on_shutdown;    /* default stop */
	DefinitionPolicy on_reboot;      /* default restart */
	DefinitionPolicy on_panic;       /* default stop */
	DefinitionPolicy on_crash;       /* default stop */
	const char *on_watchdog;         /* QEMU's WatchdogAction, static; default reset */
	char *panic_dump;                /* absolute path; NULL: the memory is not written */
	struct {
		uint64_t memory_max;     /* bytes; 0: not set */
		unsigned cpu_weight;     /* 1 to 10000; 0: not set */
		uint64_t tasks_max;      /* 0: not set */
	} resources;
} Definition;

/* Parses and validates. NULL with CORE_ERROR_INVALID_DEFINITION (text: "PATH: MESSAGE" of the first
 * problem, and how many more) or CORE_ERROR_LIMIT_EXCEEDED (longer than DEFINITION_LENGTH_MAX). */
Definition *definition_parse(const char *text, size_t length, GError **error);

/* All problems (DefinitionProblem), in the order of the document, each with its place in the text; empty = good.
 * Never NULL. */
GPtrArray *definition_validate(const char *text, size_t length);

/* The document again, all keys that differ from their default, in a fixed order, pretty, with a line
 * feed at the end; uuid and MACs included. definition_parse() of it gives an equal Definition. */
char *definition_to_json(const Definition *definition);

/* An entry of the lists above (or any other node) as one line of JSON without spaces. Unlike
 * json-glib's generator it takes no reference to what it reads: those of json-glib's objects are not
 * atomic, and a Definition is read by several threads. Free with g_free(). Any thread. */
char *definition_entry_to_json(JsonNode *entry);

/* A copy that differs in autostart. */
Definition *definition_with_autostart(const Definition *definition, bool autostart);
/* A copy that goes by another name. */
Definition *definition_with_name(const Definition *definition, const char *name);

Definition *definition_ref(const Definition *definition);
Definition *definition_unref(Definition *definition);

/* One interface by itself, as in the list of a document; what is missing is made up, except for the id: NULL if
 * it has none. CORE_ERROR_INVALID_DEFINITION ("interface.mac: ...") or CORE_ERROR_LIMIT_EXCEEDED. Any thread. */
DefinitionInterface *definition_parse_interface(const char *text, size_t length, GError **error);
DefinitionInterface *definition_interface_copy(const DefinitionInterface *interface);
/* NULL-safe, returns NULL. */
DefinitionInterface *definition_interface_free(DefinitionInterface *interface);

/* There is a link of the host behind it: tap, bridge, macvtap. */
bool definition_interface_has_link(const DefinitionInterface *interface);
/* Its model is one of virtio-net: it can have queues, vhost, and a filter that can be read. */
bool definition_interface_is_virtio(const DefinitionInterface *interface);
/* How many descriptors QEMU gets for it: one for each queue, with vhost two; 0 without a link. */
unsigned definition_interface_count_descriptors(const DefinitionInterface *interface);
/* CORE_ERROR_LIMIT_EXCEEDED if one more with more's queues would need too many together. Any thread; cheap. */
bool definition_check_descriptors(const Definition *definition, const DefinitionInterface *more,
				  GError **error);
/* The id of its netdev, NULL if it has none; free with g_free(). */
char *definition_interface_get_netdev(const DefinitionInterface *interface);

/* The rules for names and uuids, for look-ups too. uuid: any case, with dashes. */
bool definition_name_is_valid(const char *name);
bool definition_uuid_is_valid(const char *uuid);

/* The raw arguments have that option of QEMU's, with one dash or two. */
bool definition_has_argument(const Definition *definition, const char *option);

const char *definition_policy_to_string(DefinitionPolicy policy);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Definition, definition_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DefinitionInterface, definition_interface_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DefinitionProblem, definition_problem_free)
