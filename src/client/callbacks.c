/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/callbacks.h"

static void unref_array(void *array)
{
	g_ptr_array_unref(array);
}

void callbacks_init(Callbacks *self)
{
	self->events = g_ptr_array_new();
	self->of_rules = g_hash_table_new_full(NULL, NULL, NULL, unref_array);
	pthread_cond_init(&self->returned, NULL);
	g_queue_init(&self->dead);
}

void callbacks_clear(Callbacks *self)
{
	g_assert(self->events->len == 0 && !self->gap && !self->status);

	g_ptr_array_unref(self->events);
	g_hash_table_unref(self->of_rules);
	pthread_cond_destroy(&self->returned);
}

Callback *callback_new(void (*function)(void), void *userdata, VmhFreeFunc free_func)
{
	Callback *self = g_new0(Callback, 1);

	self->function = function;
	self->userdata = userdata;
	self->free_func = free_func;
	return self;
}

int callbacks_add(Callbacks *self, Callback *callback, Rule *rule, uint64_t since)
{
	GPtrArray *of_rule = g_hash_table_lookup(self->of_rules, rule);

	if (self->last_id == G_MAXINT)
		return 0;
	if (!of_rule) {
		of_rule = g_ptr_array_new();
		g_hash_table_insert(self->of_rules, rule, of_rule);
	}
	callback->id = ++self->last_id;
	callback->rule = rule;
	callback->since = since;
	g_ptr_array_add(self->events, callback);
	g_ptr_array_add(of_rule, callback);
	return callback->id;
}

/* The index of the first one with an id > id. */
static unsigned find_index(const GPtrArray *callbacks, int id)
{
	unsigned low = 0, high = callbacks->len;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		const Callback *callback = callbacks->pdata[middle];

		if (callback->id > id)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

Callback *callbacks_find(const Callbacks *self, int id)
{
	unsigned index = find_index(self->events, id);
	Callback *callback = index > 0 ? self->events->pdata[index - 1] : NULL;

	return callback && callback->id == id ? callback : NULL;
}

/* What has no sequence has no place either that it could be before. */
static Callback *find_next_of_rule(const GPtrArray *callbacks, int id, const VmhEvent *event)
{
	for (unsigned i = find_index(callbacks, id); i < callbacks->len; i++) {
		Callback *callback = callbacks->pdata[i];

		if (event->sequence == 0 || event->sequence > callback->since)
			return callback;
	}
	return NULL;
}

Callback *callbacks_find_next(const Callbacks *self, const Rules *rules, int id, const VmhEvent *event)
{
	Rule *fitting[RULES_FITTING_MAX];
	unsigned n = rules_find_fitting(rules, event, fitting);
	Callback *next = NULL;

	for (unsigned i = 0; i < n; i++) {
		const GPtrArray *of_rule = g_hash_table_lookup(self->of_rules, fitting[i]);
		Callback *callback = of_rule ? find_next_of_rule(of_rule, id, event) : NULL;

		if (callback && (!next || callback->id < next->id))
			next = callback;
	}
	return next;
}

/* Whose registering fails keeps what was to be freed. */
static void bury(Callbacks *self, Callback *callback)
{
	callback->rule = NULL;
	if (callback->tentative)
		callback->free_func = NULL;
	g_queue_push_tail(&self->dead, callback);
}

Rule *callbacks_remove(Callbacks *self, Callback *callback)
{
	Rule *rule = callback->rule;

	GPtrArray *of_rule = g_hash_table_lookup(self->of_rules, rule);

	g_ptr_array_remove_index(self->events, find_index(self->events, callback->id) - 1);
	g_ptr_array_remove_index(of_rule, find_index(of_rule, callback->id) - 1);
	if (of_rule->len == 0)
		g_hash_table_remove(self->of_rules, rule);
	bury(self, callback);
	return rule;
}

void callbacks_renumber(Callbacks *self)
{
	for (unsigned i = 0; i < self->events->len; i++) {
		Callback *callback = self->events->pdata[i];

		callback->since = 0;
	}
}

void callbacks_replace(Callbacks *self, Callback **slot, Callback *callback)
{
	if (*slot)
		g_queue_push_tail(&self->dead, *slot);
	*slot = callback;
}

void callbacks_remove_all(Callbacks *self)
{
	for (unsigned i = 0; i < self->events->len; i++)
		bury(self, self->events->pdata[i]);
	g_ptr_array_set_size(self->events, 0);
	g_hash_table_remove_all(self->of_rules);
	callbacks_replace(self, &self->gap, NULL);
	callbacks_replace(self, &self->status, NULL);
}

void callbacks_begin(Callbacks *self, Callback *callback)
{
	g_assert(!self->running);

	self->running = callback;
}

void callbacks_end(Callbacks *self)
{
	self->running = NULL;
	pthread_cond_broadcast(&self->returned);
}

Callback *callbacks_pop_dead(Callbacks *self)
{
	for (GList *link = self->dead.head; link; link = link->next) {
		Callback *callback = link->data;

		if (callback == self->running)
			continue;
		g_queue_delete_link(&self->dead, link);
		return callback;
	}
	return NULL;
}
