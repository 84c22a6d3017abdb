/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log-limit.h"

typedef struct Window {
	int64_t since;
	unsigned written;
	uint64_t left_out;
} Window;

struct LogLimit {
	LogLimits limits;
	GHashTable *windows;         /* key -> Window */
	Window others;               /* of the keys for which there is no room */
	Window all;
	uint64_t untold;             /* left out in windows that are over */
	int64_t swept_at;
};

LogLimit *log_limit_new(const LogLimits *limits)
{
	LogLimit *limit = g_new0(LogLimit, 1);

	g_assert(limits->of_key > 0 && limits->of_all > 0 && limits->interval_us > 0);
	limit->limits = *limits;
	limit->windows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return limit;
}

LogLimit *log_limit_free(LogLimit *limit)
{
	if (!limit)
		return NULL;
	g_hash_table_unref(limit->windows);
	g_free(limit);
	return NULL;
}

static bool is_over(const LogLimit *limit, const Window *window, int64_t now_us)
{
	return now_us - window->since >= limit->limits.interval_us;
}

static void renew(LogLimit *limit, Window *window, int64_t now_us)
{
	if (!is_over(limit, window, now_us))
		return;
	limit->untold += window->left_out;
	*window = (Window){ .since = now_us };
}

/* Forgets the windows that are over, or all of them: at most once in an interval. */
static void sweep(LogLimit *limit, int64_t now_us, bool all)
{
	GHashTableIter iter;
	void *value;

	limit->swept_at = now_us;
	g_hash_table_iter_init(&iter, limit->windows);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Window *window = value;

		if (!all && !is_over(limit, window, now_us))
			continue;
		limit->untold += window->left_out;
		g_hash_table_iter_remove(&iter);
	}
}

static Window *get_window(LogLimit *limit, const char *key, int64_t now_us)
{
	Window *window = g_hash_table_lookup(limit->windows, key);

	if (!window && g_hash_table_size(limit->windows) >= LOG_LIMIT_KEYS_MAX) {
		window = &limit->others;
	} else if (!window) {
		window = g_new0(Window, 1);
		window->since = now_us;
		g_hash_table_insert(limit->windows, g_strdup(key), window);
	}
	renew(limit, window, now_us);
	return window;
}

/* NULL: it is left out, and has been counted. */
static Window *find_room(LogLimit *limit, const char *key, int64_t now_us)
{
	Window *window = &limit->all;

	if (now_us - limit->swept_at >= limit->limits.interval_us)
		sweep(limit, now_us, false);
	renew(limit, &limit->all, now_us);
	if (key)
		window = get_window(limit, key, now_us);
	if ((!key || window->written < limit->limits.of_key) && limit->all.written < limit->limits.of_all)
		return window;
	window->left_out++;
	return NULL;
}

bool log_limit_leaves_out(LogLimit *limit, const char *key, int64_t now_us)
{
	return !find_room(limit, key, now_us);
}

LogVerdict log_limit_ask(LogLimit *limit, const char *key, int64_t now_us)
{
	Window *window = find_room(limit, key, now_us);
	bool full;

	if (!window)
		return LOG_VERDICT_LEAVE_OUT;
	limit->all.written++;
	full = limit->all.written == limit->limits.of_all;
	if (key)
		full = ++window->written == limit->limits.of_key || full;
	return full ? LOG_VERDICT_WRITE_LAST : LOG_VERDICT_WRITE;
}

uint64_t log_limit_take_left_out(LogLimit *limit, bool all)
{
	uint64_t left_out;

	if (all) {
		sweep(limit, limit->swept_at, true);
		limit->untold += limit->others.left_out + limit->all.left_out;
		limit->others.left_out = 0;
		limit->all.left_out = 0;
	}
	left_out = limit->untold;
	limit->untold = 0;
	return left_out;
}
