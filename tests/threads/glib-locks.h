/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What GLib's locks do, told to the thread sanitizer.
 *
 * GLib's mutexes and conditions are futexes of its own, and GLib is not built with the sanitizer: it does not see that who has
 * the lock comes after who had it. This is put before every source when the build has -Db_sanitize=thread, and says so at
 * each call. What goes on inside GLib stays invisible, and is its own business: tests/threads/suppressions.
 */
#pragma once

/* The programs of the guest have no GLib, and no threads. */
#if __has_include(<glib.h>)

#include <glib.h>
#include <sanitizer/tsan_interface.h>

static inline void threads_lock(GMutex *mutex)
{
	g_mutex_lock(mutex);
	__tsan_acquire(mutex);
}

static inline gboolean threads_trylock(GMutex *mutex)
{
	gboolean locked = g_mutex_trylock(mutex);

	if (locked)
		__tsan_acquire(mutex);
	return locked;
}

static inline void threads_unlock(GMutex *mutex)
{
	__tsan_release(mutex);
	g_mutex_unlock(mutex);
}

static inline void threads_wait(GCond *cond, GMutex *mutex)
{
	__tsan_release(mutex);
	g_cond_wait(cond, mutex);
	__tsan_acquire(mutex);
}

static inline gboolean threads_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
	gboolean woken;

	__tsan_release(mutex);
	woken = g_cond_wait_until(cond, mutex, end_time);
	__tsan_acquire(mutex);
	return woken;
}

/* Freeing a pool waits for what its threads do. */
typedef struct ThreadsJob {
	GFunc func;
	void *data;
	char made, done;        /* by their addresses */
} ThreadsJob;

static inline void threads_work(void *item, void *userdata)
{
	ThreadsJob *job = userdata;

	__tsan_acquire(&job->made);
	job->func(item, job->data);
	__tsan_release(&job->done);
}

static inline GThreadPool *threads_pool_new(GFunc func, void *data, int max_threads, gboolean exclusive,
					    GError **error)
{
	ThreadsJob *job = g_new(ThreadsJob, 1);

	job->func = func;
	job->data = data;
	__tsan_release(&job->made);
	return g_thread_pool_new(threads_work, job, max_threads, exclusive, error);
}

static inline void threads_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait)
{
	ThreadsJob *job = pool->user_data;

	g_thread_pool_free(pool, immediate, wait);
	if (!wait)
		return;         /* it is still needed */
	__tsan_acquire(&job->done);
	g_free(job);
}

#define g_thread_pool_new(func, data, max_threads, exclusive, error) \
	threads_pool_new((func), (data), (max_threads), (exclusive), (error))
#define g_thread_pool_free(pool, immediate, wait) threads_pool_free((pool), (immediate), (wait))
#define g_mutex_lock(mutex) threads_lock(mutex)
#define g_mutex_trylock(mutex) threads_trylock(mutex)
#define g_mutex_unlock(mutex) threads_unlock(mutex)
#define g_cond_wait(cond, mutex) threads_wait((cond), (mutex))
#define g_cond_wait_until(cond, mutex, end_time) threads_wait_until((cond), (mutex), (end_time))

#endif
