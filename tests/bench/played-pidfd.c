/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Preloaded to the service when it runs below valgrind, which has no pidfds (3.19 knows neither pidfd_open(2) nor P_PIDFD):
 * without them the service starts no QEMU. Here a pidfd is an eventfd, and a thread that sleeps in waitid(2) makes it
 * readable when the child has ended. That is as much as the service needs for children of its own; it is not for those
 * of others, which waitid() does not know, and not for descriptors that are duplicated.
 */

#define EXPORT         __attribute__((visibility("default")))
#define DESCRIPTOR_MAX 4096
#define STACK_BYTES    65536u

typedef struct Watch {
	pid_t pid;
	int fd;                     /* of its own: the other is closed, and its number given away, whenever it likes */
} Watch;

static _Atomic pid_t pids[DESCRIPTOR_MAX];

static pid_t pid_of(int fd)
{
	pid_t pid = fd >= 0 && fd < DESCRIPTOR_MAX ? atomic_load(&pids[fd]) : 0;

	if (pid == 0)
		errno = EBADF;
	return pid;
}

static void *watch_child(void *data)
{
	Watch *watch = data;
	const uint64_t one = 1;
	siginfo_t info;
	long result;

	do
		result = syscall(SYS_waitid, P_PID, watch->pid, &info, WEXITED | WNOWAIT, NULL);
	while (result < 0 && errno == EINTR);
	/* An error means that somebody was faster, and has it already. */
	result = write(watch->fd, &one, sizeof(one));
	(void)result;
	(void)close(watch->fd);
	free(watch);
	return NULL;
}

/* Signals are for the threads that there are without this. */
static int begin_thread(Watch *watch)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	int error;

	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &attributes, watch_child, watch);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attributes);
	return error;
}

EXPORT int pidfd_open(pid_t pid, unsigned flags)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	Watch *watch = malloc(sizeof(*watch));
	int error = 0;

	if (fd < 0 || !watch || fd >= DESCRIPTOR_MAX) {
		error = fd < 0 ? errno : EMFILE;
	} else {
		*watch = (Watch) { pid, dup(fd) };
		atomic_store(&pids[fd], pid);
		error = watch->fd < 0 ? errno : begin_thread(watch);
		if (error != 0 && watch->fd >= 0)
			(void)close(watch->fd);
	}
	if (error == 0)
		return fd;
	free(watch);
	if (fd >= 0)
		(void)close(fd);
	errno = error;
	return -1;
}

EXPORT int pidfd_send_signal(int fd, int number, siginfo_t *info, unsigned flags)
{
	pid_t pid = pid_of(fd);

	return pid > 0 ? kill(pid, number) : -1;
}

EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	pid_t pid;

	if (type != P_PIDFD)
		return (int)syscall(SYS_waitid, type, id, info, options, NULL);
	pid = pid_of((int)id);
	return pid > 0 ? (int)syscall(SYS_waitid, P_PID, pid, info, options, NULL) : -1;
}
