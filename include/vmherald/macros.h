/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the library gives out; everything else in it is hidden. */
#define VMH_PUBLIC __attribute__((visibility("default")))

#ifdef __cplusplus
#define VMH_BEGIN_DECLS extern "C" {
#define VMH_END_DECLS }
#else
#define VMH_BEGIN_DECLS
#define VMH_END_DECLS
#endif
