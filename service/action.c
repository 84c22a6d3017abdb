/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "action.h"

#include <errno.h>

#include "base/log.h"

#define PREFIX "org.vmherald.domains1."

static const char *const ids[ACTION_MAX] = {
	[ACTION_INSPECT] = PREFIX "inspect",
	[ACTION_SCREENSHOT] = PREFIX "screenshot",
	[ACTION_CONTROL] = PREFIX "control",
	[ACTION_DEFINE] = PREFIX "define",
	[ACTION_ATTACH] = PREFIX "attach",
	[ACTION_MONITOR_EXECUTE] = PREFIX "monitor-execute",
	[ACTION_ADOPT] = PREFIX "adopt",
	[ACTION_MANAGE] = PREFIX "manage",
};

const char *action_get_id(Action action)
{
	return ids[action];
}

struct Actions {
	GHashTable *rows;           /* "INTERFACE.MEMBER" -> Action */
};

Actions *actions_new(void)
{
	Actions *actions = g_new0(Actions, 1);

	actions->rows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return actions;
}

Actions *actions_free(Actions *actions)
{
	if (!actions)
		return NULL;
	g_hash_table_unref(actions->rows);
	g_free(actions);
	return NULL;
}

/* NULL: the row needs none. */
static const char *get_member(const sd_bus_vtable *row)
{
	if (row->type == _SD_BUS_VTABLE_METHOD)
		return row->x.method.member;
	return row->type == _SD_BUS_VTABLE_WRITABLE_PROPERTY ? row->x.property.member : NULL;
}

static bool get_action(const sd_bus_vtable *row, Action *ret_action)
{
	for (int action = 0; action < ACTION_MAX; action++)
		if ((row->flags & ACTION_FLAGS(0xFFFE)) == ACTION_FLAGS((unsigned)action)) {
			*ret_action = action;
			return true;
		}
	return false;
}

static int add(Actions *actions, const char *interface, const sd_bus_vtable *vtable)
{
	const sd_bus_vtable *row;
	Action action;

	for (row = vtable; row->type != _SD_BUS_VTABLE_END; row++)
		if (get_member(row) && !get_action(row, &action)) {
			log_text(LOG_ERR, "%s.%s has no action, and cannot be offered", interface,
				 get_member(row));
			return -ENOKEY;
		}
	for (row = vtable; row->type != _SD_BUS_VTABLE_END; row++)
		if (get_member(row) && get_action(row, &action))
			g_hash_table_insert(actions->rows,
					    g_strconcat(interface, ".", get_member(row), NULL),
					    GINT_TO_POINTER((int)action));
	return 0;
}

int actions_add_object(Actions *actions, sd_bus *bus, const char *path, const char *interface,
		       const sd_bus_vtable *vtable, void *userdata)
{
	int r = add(actions, interface, vtable);

	return r < 0 ? r : sd_bus_add_object_vtable(bus, NULL, path, interface, vtable, userdata);
}

int actions_add_fallback(Actions *actions, sd_bus *bus, const char *prefix, const char *interface,
			 const sd_bus_vtable *vtable, sd_bus_object_find_t find, void *userdata)
{
	int r = add(actions, interface, vtable);

	return r < 0 ? r : sd_bus_add_fallback_vtable(bus, NULL, prefix, interface, vtable, find, userdata);
}

bool actions_find(const Actions *actions, const char *interface, const char *member, Action *ret_action)
{
	g_autofree char *key = g_strconcat(interface, ".", member, NULL);
	void *action;

	if (!g_hash_table_lookup_extended(actions->rows, key, NULL, &action))
		return false;
	*ret_action = GPOINTER_TO_INT(action);
	return true;
}
