/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "model/definition.h"

/*
 * What the files of the definition share, and nobody else needs.
 *
 * A DefinitionReader walks through a document and knows where it is ("interfaces[0].mac"), so that a
 * problem found anywhere names its place. It collects all problems; reading goes on after each.
 */

#define DEFINITION_MEMORY_DEFAULT    (UINT64_C(512) << 20)
#define DEFINITION_CPUS_DEFAULT      1u
#define DEFINITION_MODEL_DEFAULT     "virtio-net-pci"
#define DEFINITION_TYPE_DEFAULT      "user"
#define DEFINITION_MODE_DEFAULT      "bridge"
#define DEFINITION_WATCHDOG_DEFAULT  "reset"
#define DEFINITION_CPU_WEIGHT_MAX    10000u
#define DEFINITION_TASKS_MAX         4194304u    /* the kernel's PID_MAX_LIMIT */

typedef struct DefinitionReader {
	GPtrArray *problems;     /* DefinitionProblem */
	size_t n_problems;       /* also counts those above the bound, which are not kept */
	GString *path;
	GHashTable *ids;         /* "KIND ID" -> path of the entry that has it */
} DefinitionReader;

void definition_reader_init(DefinitionReader *reader);
void definition_reader_clear(DefinitionReader *reader);

/* A problem at the path where the reader is. */
void definition_reader_problem(DefinitionReader *reader, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* CORE_ERROR_INVALID_DEFINITION of the first problem (there must be one), and how many more there are. */
void definition_reader_set_error(const DefinitionReader *reader, GError **error);

/* Where the last problem is, if the reader cannot know. */
void definition_reader_set_place(DefinitionReader *reader, unsigned line, unsigned column);

/* Go into a member or an element; the result is for definition_reader_leave(). */
size_t definition_reader_enter(DefinitionReader *reader, const char *key);
size_t definition_reader_enter_index(DefinitionReader *reader, unsigned index);
void definition_reader_leave(DefinitionReader *reader, size_t outer);

/* Notes that the entry where the reader is has this id; a problem (and false) if another has it. */
bool definition_reader_claim(DefinitionReader *reader, const char *kind, const char *id);
bool definition_reader_is_claimed(DefinitionReader *reader, const char *kind, const char *id);

/* A value of the document, fit for a message: in quotes, shortened, no control characters. */
char *definition_quote(const char *value);

/* Each reads the value if it has that type; else it is a problem, and false or NULL. */
const char *definition_read_string(DefinitionReader *reader, JsonNode *node);
JsonObject *definition_read_object(DefinitionReader *reader, JsonNode *node);
JsonArray *definition_read_array(DefinitionReader *reader, JsonNode *node);

/* The lists that are QEMU's: a row per list says which keys its entries must have. */
typedef struct DefinitionEntryRule {
	const char *kind;        /* name space of the ids, as said in messages */
	const char *required;    /* a string that must be there */
	const char *id;          /* the key of the id */
	bool id_required;
} DefinitionEntryRule;

extern const DefinitionEntryRule definition_blockdev_rule;
extern const DefinitionEntryRule definition_netdev_rule;
extern const DefinitionEntryRule definition_object_rule;
extern const DefinitionEntryRule definition_device_rule;

void definition_read_entries(DefinitionReader *reader, JsonNode *node,
			     const DefinitionEntryRule *rule, GPtrArray *entries);
/* NULL after a problem. */
GStrv definition_read_arguments(DefinitionReader *reader, JsonNode *node);

/* A row of a table of keys: who reads the value of a key, and into which field. */
typedef struct DefinitionKey DefinitionKey;
typedef void DefinitionKeyReader(DefinitionReader *reader, JsonNode *node, const DefinitionKey *key,
				 void *field);

struct DefinitionKey {
	const char *name;
	DefinitionKeyReader *read;
	size_t offset;                        /* of the field in the struct that is filled in */
	uint64_t max;                         /* numbers: largest value; policies: a bit for each */
	const DefinitionEntryRule *entries;   /* lists of QAPI objects */
};

/* The field is a char * that is replaced, unless said otherwise. */
DefinitionKeyReader definition_read_word;
DefinitionKeyReader definition_read_name;
DefinitionKeyReader definition_read_uuid;
DefinitionKeyReader definition_read_title;
DefinitionKeyReader definition_read_emulator;
DefinitionKeyReader definition_read_boolean;     /* bool */
DefinitionKeyReader definition_read_unsigned;    /* unsigned, 1 to max */
DefinitionKeyReader definition_read_count;       /* uint64_t, 1 to max */
DefinitionKeyReader definition_read_size;        /* uint64_t, bytes, 1 to max */
DefinitionKeyReader definition_read_policy;      /* DefinitionPolicy */
DefinitionKeyReader definition_read_watchdog;    /* const char *, static */
DefinitionKeyReader definition_read_file;
DefinitionKeyReader definition_read_machine;     /* Definition */
DefinitionKeyReader definition_read_accel;       /* GStrv */
DefinitionKeyReader definition_read_id;
DefinitionKeyReader definition_read_memory_backend;   /* JsonNode * */
DefinitionKeyReader definition_read_firmware;         /* DefinitionFirmware */
DefinitionKeyReader definition_read_interfaces;       /* GPtrArray * of DefinitionInterface */
DefinitionKeyReader definition_read_consoles;         /* GPtrArray * of DefinitionConsole */
DefinitionKeyReader definition_read_sandbox;

/* The members of an object by the rows of a table; what has no row is a problem. */
void definition_read_members(DefinitionReader *reader, JsonObject *object, const DefinitionKey *keys,
			     size_t n_keys, void *target);

/* Of those that have none, when all others of the document are known. */
void definition_make_interface_ids(DefinitionReader *reader, GPtrArray *interfaces);

/* Problems with keys that each are right by themselves. */
void definition_check_start(DefinitionReader *reader, const Definition *definition);

/* Sets the places of those that have none. */
void definition_locate_problems(GPtrArray *problems, const char *text, size_t length);

/* The nodes of a text, if they say all that the text says; else NULL and a problem. */
JsonNode *definition_read_text(DefinitionReader *reader, const char *text, size_t length);

/* The table-driven reader of the whole document: fills in a definition that has its defaults. */
void definition_read_document(DefinitionReader *reader, const char *text, size_t length,
			      Definition *definition);

Definition *definition_new(void);
void definition_console_free(DefinitionConsole *console);
