/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "model/lifecycle.h"
#include "model/state.h"

/* ---- name tables ---- */

#define NAME_MAX_LENGTH 24u

/* Good names that are there once: lower case with dashes, as everything on the bus. */
static void check_name(const char *name, GHashTable *seen)
{
	g_assert_nonnull(name);
	g_assert_cmpuint(strlen(name), >, 0);
	g_assert_cmpuint(strlen(name), <=, NAME_MAX_LENGTH);
	g_assert_cmpuint(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), ==, strlen(name));
	g_assert_true(g_hash_table_add(seen, (char *)name));
}

#define CHECK_NAMES(prefix, Type, max)                                                             \
	do {                                                                                       \
		g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);            \
		const char *const strangers[] = { "", "no-such-name", "Running", "paused ", NULL };  \
		Type value = (Type)0;                                                              \
                                                                                                   \
		for (unsigned i = 0; i < (unsigned)(max); i++) {                                   \
			check_name(prefix##_to_string((Type)i), seen);                             \
			value = (Type)(max);                                                       \
			g_assert_true(prefix##_from_string(prefix##_to_string((Type)i), &value));  \
			g_assert_cmpuint(value, ==, i);                                            \
		}                                                                                  \
		for (unsigned i = 0; i < G_N_ELEMENTS(strangers); i++) {                           \
			value = (Type)(max);                                                       \
			g_assert_false(prefix##_from_string(strangers[i], &value));                \
			g_assert_cmpuint(value, ==, max);                                          \
		}                                                                                  \
	} while (0)

static void test_names(void)
{
	CHECK_NAMES(domain_state, DomainState, DOMAIN_STATE_MAX);
	CHECK_NAMES(domain_operation, DomainOperation, DOMAIN_OPERATION_MAX);
	CHECK_NAMES(lifecycle_event, LifecycleEvent, LIFECYCLE_EVENT_MAX);
	CHECK_NAMES(lifecycle_reason, LifecycleReason, LIFECYCLE_REASON_MAX);
}

/* The names are the contract: who renames one breaks every client. */
static void test_names_of_contract(void)
{
	static const char *const states[] = { "shut-off", "starting", "running", "paused",
					      "pm-suspended", "shutting-down", "crashed", "unknown" };
	static const char *const events[] = { "defined", "undefined", "starting", "started",
					      "suspended", "resumed", "shutdown", "stopped",
					      "pm-suspended", "crashed" };

	G_STATIC_ASSERT(G_N_ELEMENTS(states) == DOMAIN_STATE_MAX);
	G_STATIC_ASSERT(G_N_ELEMENTS(events) == LIFECYCLE_EVENT_MAX);
	for (unsigned i = 0; i < DOMAIN_STATE_MAX; i++)
		g_assert_cmpstr(domain_state_to_string((DomainState)i), ==, states[i]);
	for (unsigned i = 0; i < LIFECYCLE_EVENT_MAX; i++)
		g_assert_cmpstr(lifecycle_event_to_string((LifecycleEvent)i), ==, events[i]);
	g_assert_cmpstr(lifecycle_reason_to_string(LIFECYCLE_REASON_SAVED), ==, "saved");
	g_assert_cmpstr(lifecycle_reason_to_string(LIFECYCLE_REASON_RESTORED), ==, "restored");
}

/* ---- transitions ---- */

/* Rows: from; columns: to, in the order of DomainState. The drawing in model/state.h, as letters. */
static const char *const allowed[DOMAIN_STATE_MAX] = {
	[DOMAIN_STATE_SHUT_OFF] =      "XX.....X",
	[DOMAIN_STATE_STARTING] =      "XXXXXXXX",
	[DOMAIN_STATE_RUNNING] =       "X.XXXXXX",
	[DOMAIN_STATE_PAUSED] =        "X.XXXXXX",
	[DOMAIN_STATE_PM_SUSPENDED] =  "X.XXXXXX",
	[DOMAIN_STATE_SHUTTING_DOWN] = "X.XX.X.X",
	[DOMAIN_STATE_CRASHED] =       "X.XX.XXX",
	[DOMAIN_STATE_UNKNOWN] =       "X.XXXXXX",
};

static void test_transitions(void)
{
	for (unsigned from = 0; from < DOMAIN_STATE_MAX; from++) {
		g_assert_cmpuint(strlen(allowed[from]), ==, DOMAIN_STATE_MAX);
		for (unsigned to = 0; to < DOMAIN_STATE_MAX; to++) {
			bool may = domain_state_may_follow((DomainState)from, (DomainState)to);

			if (may != (allowed[from][to] == 'X'))
				g_error("from %s to %s: %s", domain_state_to_string((DomainState)from),
					domain_state_to_string((DomainState)to),
					may ? "allowed" : "refused");
		}
	}
}

static void test_transition_rules(void)
{
	for (unsigned i = 0; i < DOMAIN_STATE_MAX; i++) {
		DomainState state = (DomainState)i;

		/* QEMU can die at any time, and a state may be told twice. */
		g_assert_true(domain_state_may_follow(state, DOMAIN_STATE_SHUT_OFF));
		g_assert_true(domain_state_may_follow(state, state));
		/* A start begins where nothing runs. */
		if (state != DOMAIN_STATE_STARTING)
			g_assert_cmpint(domain_state_may_follow(state, DOMAIN_STATE_STARTING), ==,
					state == DOMAIN_STATE_SHUT_OFF);
		/* A monitor can be lost, and be found again, whatever QEMU does. */
		if (state != DOMAIN_STATE_STARTING) {
			g_assert_true(domain_state_may_follow(state, DOMAIN_STATE_UNKNOWN));
			g_assert_true(domain_state_may_follow(DOMAIN_STATE_UNKNOWN, state));
		}
		g_assert_cmpint(domain_state_is_active(state), ==, state != DOMAIN_STATE_SHUT_OFF);
	}
}

/* ---- operations ---- */

/* Columns as above: in which states each operation is accepted. */
static const char *const accepted[DOMAIN_OPERATION_MAX] = {
	[DOMAIN_OPERATION_START] =         "X.......",
	[DOMAIN_OPERATION_ADOPT] =         "X.......",
	[DOMAIN_OPERATION_SHUTDOWN] =      "..X.X...",
	[DOMAIN_OPERATION_REBOOT] =        "..X.....",
	[DOMAIN_OPERATION_RESET] =         "..XXXXX.",
	[DOMAIN_OPERATION_DESTROY] =       ".XXXXXXX",
	[DOMAIN_OPERATION_SUSPEND] =       "..X.....",
	[DOMAIN_OPERATION_RESUME] =        "...X..X.",
	[DOMAIN_OPERATION_WAKEUP] =        "....X...",
	[DOMAIN_OPERATION_INJECT_NMI] =    "..X.....",
	[DOMAIN_OPERATION_SCREENSHOT] =    "..XXXXX.",
	[DOMAIN_OPERATION_SAVE] =          "..XX....",
	[DOMAIN_OPERATION_UNDEFINE] =      "X.......",
	[DOMAIN_OPERATION_ATTACH_DEVICE] = "..XXX.X.",
	[DOMAIN_OPERATION_DETACH_DEVICE] = "..XXX.X.",
	[DOMAIN_OPERATION_CHANGE_MEDIA] =  "..XXX.X.",
	[DOMAIN_OPERATION_SET_WRITE_THRESHOLD] = "..XXXXX.",
	[DOMAIN_OPERATION_CANCEL_JOB] =    "..XXXXX.",
	[DOMAIN_OPERATION_SET_BALLOON] =   "..XXX.X.",
	[DOMAIN_OPERATION_EXECUTE] =       "..XXXXX.",
	[DOMAIN_OPERATION_GET_COMMAND_LINE] = "XXXXXXXX",
	[DOMAIN_OPERATION_GET_INTERFACES] = "..XXXXXX",
};

/* "Domain 'NAME' is STATE; OPERATION needs it to be one of: A, B": nothing less helps. */
static char *make_text(DomainOperation operation, DomainState state)
{
	g_autoptr(GString) wanted = g_string_new(NULL);

	for (unsigned i = 0; i < DOMAIN_STATE_MAX; i++)
		if (accepted[operation][i] == 'X')
			g_string_append_printf(wanted, "%s%s", wanted->len > 0 ? ", " : "",
					       domain_state_to_string((DomainState)i));
	return g_strdup_printf("Domain 'web-1' is %s; %s needs it to be one of: %s",
			       domain_state_to_string(state), domain_operation_to_string(operation),
			       wanted->str);
}

static void test_operations(void)
{
	for (unsigned i = 0; i < DOMAIN_OPERATION_MAX; i++) {
		DomainOperation operation = (DomainOperation)i;

		g_assert_cmpuint(strlen(accepted[i]), ==, DOMAIN_STATE_MAX);
		for (unsigned j = 0; j < DOMAIN_STATE_MAX; j++) {
			DomainState state = (DomainState)j;
			g_autofree char *text = make_text(operation, state);
			g_autoptr(GError) error = NULL;
			bool ok = domain_state_check_operation(state, operation, "web-1", &error);

			g_test_message("%s: %s", text, ok ? "accepted" : "refused");
			g_assert_cmpint(ok, ==, accepted[i][j] == 'X');
			if (ok) {
				g_assert_no_error(error);
				continue;
			}
			g_assert_error(error, CORE_ERROR, CORE_ERROR_WRONG_STATE);
			g_assert_cmpstr(error->message, ==, text);
		}
	}
}

static void test_operation_without_error(void)
{
	g_assert_false(domain_state_check_operation(DOMAIN_STATE_RUNNING, DOMAIN_OPERATION_START,
						    "a", NULL));
}

/* ---- run states ---- */

static void test_run_states(void)
{
	/* All of QEMU's RunState (qapi/run-state.json), and what is none. */
	static const struct {
		const char *run_state;
		DomainState state;
	} rows[] = {
		{ "running", DOMAIN_STATE_RUNNING },
		{ "suspended", DOMAIN_STATE_PM_SUSPENDED },
		{ "shutdown", DOMAIN_STATE_SHUTTING_DOWN },
		{ "guest-panicked", DOMAIN_STATE_CRASHED },
		{ "colo", DOMAIN_STATE_PAUSED },
		{ "debug", DOMAIN_STATE_PAUSED },
		{ "finish-migrate", DOMAIN_STATE_PAUSED },
		{ "inmigrate", DOMAIN_STATE_PAUSED },
		{ "internal-error", DOMAIN_STATE_PAUSED },
		{ "io-error", DOMAIN_STATE_PAUSED },
		{ "paused", DOMAIN_STATE_PAUSED },
		{ "postmigrate", DOMAIN_STATE_PAUSED },
		{ "prelaunch", DOMAIN_STATE_PAUSED },
		{ "preconfig", DOMAIN_STATE_PAUSED },
		{ "restore-vm", DOMAIN_STATE_PAUSED },
		{ "save-vm", DOMAIN_STATE_PAUSED },
		{ "watchdog", DOMAIN_STATE_PAUSED },
		{ "", DOMAIN_STATE_PAUSED },
		{ "Running", DOMAIN_STATE_PAUSED },
		{ "one-of-a-later-version", DOMAIN_STATE_PAUSED },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
		g_assert_cmpint(domain_state_from_run_state(rows[i].run_state), ==, rows[i].state);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/model/state/names", test_names);
	g_test_add_func("/model/state/names-of-contract", test_names_of_contract);
	g_test_add_func("/model/state/transitions", test_transitions);
	g_test_add_func("/model/state/transition-rules", test_transition_rules);
	g_test_add_func("/model/state/operations", test_operations);
	g_test_add_func("/model/state/operation-without-error", test_operation_without_error);
	g_test_add_func("/model/state/run-states", test_run_states);
	return g_test_run();
}
