/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What vmherald-launcher and the one who starts it say to each other (src/launcher, qemu/launcher). Both are of one build. */

typedef enum LauncherStep {
	LAUNCHER_STEP_USER,      /* becoming that user */
	LAUNCHER_STEP_EXEC,
} LauncherStep;

typedef struct LauncherFailure {
	LauncherStep step;
	int errno_value;
} LauncherFailure;

#define LAUNCHER_EXIT_FAILURE 127    /* as that of a shell which finds no program */
