/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "app-loop.h"

#include <poll.h>

typedef struct Entry {
	int number;
	int fd;                           /* -1: a timeout */
	int events;
	int interval;
	gint64 due;
	VmhHandleCallback handle_callback;
	VmhTimeoutCallback timeout_callback;
	void *userdata;
	VmhFreeFunc free_func;
	unsigned depth;                   /* its callbacks on the stack */
} Entry;

struct AppLoop {
	AppLoopManners manners;
	GHashTable *entries;              /* number -> Entry, owned */
	GPtrArray *removed;               /* of Entry; freed at the end of a turn */
	int last_number;
	unsigned depth;
	unsigned mistakes;
	unsigned calls;
	bool refuses;
};

AppLoop *app_loop_new(AppLoopManners manners)
{
	AppLoop *self = g_new0(AppLoop, 1);

	self->manners = manners;
	self->entries = g_hash_table_new(NULL, NULL);
	self->removed = g_ptr_array_new();
	return self;
}

static void free_removed(AppLoop *self)
{
	while (self->removed->len > 0) {
		Entry *entry = g_ptr_array_steal_index(self->removed, 0);

		if (entry->free_func && !(self->manners & (APP_LOOP_FREES_AT_ONCE | APP_LOOP_NEVER_FREES)))
			entry->free_func(entry->userdata);
		g_free(entry);
	}
}

void app_loop_free(AppLoop *self)
{
	g_assert_cmpuint(g_hash_table_size(self->entries), ==, 0);
	g_assert_cmpuint(self->depth, ==, 0);
	free_removed(self);
	g_hash_table_unref(self->entries);
	g_ptr_array_unref(self->removed);
	g_free(self);
}

static int add(AppLoop *self, Entry *entry)
{
	entry->number = ++self->last_number;
	g_hash_table_insert(self->entries, GINT_TO_POINTER(entry->number), entry);
	return entry->number;
}

/* NULL, and a mistake is noted: there is none with this number, or it is of the other kind. */
static Entry *get(AppLoop *self, int number, bool timeout)
{
	Entry *entry = g_hash_table_lookup(self->entries, GINT_TO_POINTER(number));

	if (entry && (entry->fd < 0) == timeout)
		return entry;
	self->mistakes++;
	return NULL;
}

static int remove_entry(AppLoop *self, int number, bool timeout)
{
	Entry *entry = get(self, number, timeout);

	if (!entry)
		return -1;
	g_hash_table_remove(self->entries, GINT_TO_POINTER(number));
	g_ptr_array_add(self->removed, entry);
	if (entry->free_func && (self->manners & APP_LOOP_FREES_AT_ONCE))
		entry->free_func(entry->userdata);
	return 0;
}

static int add_handle(int fd, int events, VmhHandleCallback callback, void *userdata, VmhFreeFunc free_func, void *data)
{
	AppLoop *self = data;
	Entry *entry;

	if (self->refuses)
		return -1;
	entry = g_new0(Entry, 1);
	entry->fd = fd;
	entry->events = events;
	entry->handle_callback = callback;
	entry->userdata = userdata;
	entry->free_func = free_func;
	return add(self, entry);
}

static void update_handle(int watch, int events, void *data)
{
	Entry *entry = get(data, watch, false);

	if (entry)
		entry->events = events;
}

static int remove_handle(int watch, void *data)
{
	return remove_entry(data, watch, false);
}

static void set_interval(Entry *entry, int interval)
{
	entry->interval = interval;
	entry->due = g_get_monotonic_time() + interval * G_GINT64_CONSTANT(1000);
}

static int add_timeout(int interval, VmhTimeoutCallback callback, void *userdata, VmhFreeFunc free_func, void *data)
{
	AppLoop *self = data;
	Entry *entry;

	if (self->refuses)
		return -1;
	entry = g_new0(Entry, 1);
	entry->fd = -1;
	entry->timeout_callback = callback;
	entry->userdata = userdata;
	entry->free_func = free_func;
	set_interval(entry, interval);
	return add(self, entry);
}

static void update_timeout(int timer, int interval, void *data)
{
	Entry *entry = get(data, timer, true);

	if (entry)
		set_interval(entry, interval);
}

static int remove_timeout(int timer, void *data)
{
	return remove_entry(data, timer, true);
}

const VmhEventImpl app_loop_impl = {
	.add_handle = add_handle,
	.update_handle = update_handle,
	.remove_handle = remove_handle,
	.add_timeout = add_timeout,
	.update_timeout = update_timeout,
	.remove_timeout = remove_timeout,
};

static bool is_left_out(const AppLoop *self, const Entry *entry)
{
	return entry->depth > 0 && (self->manners & APP_LOOP_NOT_NESTED);
}

static int compare_numbers(const void *a, const void *b)
{
	const Entry *const *left = a, *const *right = b;

	return (*left)->number - (*right)->number;
}

/* Those that are watched, in the order of their coming; *ret_wait_ms until the first timeout. */
static GPtrArray *list(AppLoop *self, int max_wait_ms, int *ret_wait_ms)
{
	GPtrArray *entries = g_ptr_array_new();
	gint64 now = g_get_monotonic_time();
	gint64 wait_us = max_wait_ms < 0 ? G_MAXINT32 : max_wait_ms * G_GINT64_CONSTANT(1000);
	GHashTableIter iter;
	Entry *entry;

	g_hash_table_iter_init(&iter, self->entries);
	while (g_hash_table_iter_next(&iter, NULL, (void **)&entry)) {
		if (is_left_out(self, entry))
			continue;
		g_ptr_array_add(entries, entry);
		if (entry->fd < 0 && entry->interval >= 0)
			wait_us = CLAMP(entry->due - now, 0, wait_us);
	}
	g_ptr_array_sort(entries, compare_numbers);
	*ret_wait_ms = (int)((wait_us + 999) / 1000);
	return entries;
}

static int from_poll(int revents)
{
	return (revents & POLLIN ? VMH_HANDLE_READABLE : 0) | (revents & POLLOUT ? VMH_HANDLE_WRITABLE : 0) |
	       (revents & POLLERR ? VMH_HANDLE_ERROR : 0) | (revents & POLLHUP ? VMH_HANDLE_HANGUP : 0);
}

/* seen: as it was when the loop looked. */
static void call(AppLoop *self, const Entry *seen, int revents)
{
	Entry *entry = g_hash_table_lookup(self->entries, GINT_TO_POINTER(seen->number));

	if (entry ? is_left_out(self, entry) : !(self->manners & APP_LOOP_CALLS_REMOVED))
		return;
	if (entry)
		entry->depth++;
	self->calls++;
	if (seen->fd >= 0) {
		seen->handle_callback(seen->number, seen->fd, from_poll(revents), seen->userdata);
	} else {
		if (entry)
			set_interval(entry, entry->interval);
		seen->timeout_callback(seen->number, seen->userdata);
	}
	/* Removed ones are freed when no turn is under way. */
	if (entry)
		entry->depth--;
}

void app_loop_turn(AppLoop *self, int max_wait_ms)
{
	int wait_ms;
	g_autoptr(GPtrArray) entries = list(self, max_wait_ms, &wait_ms);
	g_autofree Entry *seen = g_new0(Entry, entries->len + 1);
	g_autofree struct pollfd *polled = g_new0(struct pollfd, entries->len + 1);
	gint64 now;

	for (unsigned i = 0; i < entries->len; i++) {
		const Entry *entry = entries->pdata[i];

		seen[i] = *entry;
		polled[i].fd = entry->fd;
		polled[i].events = (short)((entry->events & VMH_HANDLE_READABLE ? POLLIN : 0) |
					   (entry->events & VMH_HANDLE_WRITABLE ? POLLOUT : 0));
	}
	self->depth++;
	poll(polled, entries->len, wait_ms);
	now = g_get_monotonic_time();
	for (unsigned i = 0; i < entries->len; i++)
		if (seen[i].fd >= 0 && polled[i].revents)
			call(self, &seen[i], polled[i].revents);
	for (unsigned i = 0; i < entries->len; i++) {
		const Entry *entry = g_hash_table_lookup(self->entries, GINT_TO_POINTER(seen[i].number));

		if (seen[i].fd >= 0)
			continue;
		if (entry ? entry->interval >= 0 && entry->due <= g_get_monotonic_time() :
		    seen[i].interval >= 0 && seen[i].due <= now)
			call(self, &seen[i], 0);
	}
	self->depth--;
	if (self->depth == 0)
		free_removed(self);
}

void app_loop_refuse(AppLoop *self, bool refuse)
{
	self->refuses = refuse;
}

unsigned app_loop_get_length(const AppLoop *self)
{
	return g_hash_table_size(self->entries);
}

unsigned app_loop_get_mistakes(const AppLoop *self)
{
	return self->mistakes;
}

unsigned app_loop_get_calls(const AppLoop *self)
{
	return self->calls;
}
