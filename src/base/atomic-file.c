/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/atomic-file.h"
#include <unistd.h>
#include <errno.h>
#include "base/error.h"
bool atomic_file_write(const char *d, const char *n, const char *c, size_t l, mode_t m, GError **e)
{ g_autofree char *p = g_build_filename(d, n, NULL); return g_file_set_contents(p, c, (gssize)l, e); }
bool atomic_file_remove(const char *d, const char *n, GError **e) { g_autofree char *p = g_build_filename(d, n, NULL); unlink(p); return true; }
char *atomic_file_read(const char *d, const char *n, size_t max, size_t *len, GError **e)
{ g_autofree char *p = g_build_filename(d, n, NULL); char *t = NULL; gsize l; if (!g_file_get_contents(p, &t, &l, e)) return NULL; if (len) *len = l; return t; }
