/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The picture of a display comes by descriptor: it is copied to where the user wants it. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <unistd.h>

#include "ctl/call.h"
#include "ctl/verbs.h"

static char *device;
static int head = -1;

const GOptionEntry screenshot_options[] = {
	{ "device", 0, 0, G_OPTION_ARG_FILENAME, &device,
	  N_("The graphics device, instead of the first"), N_("ID") },
	{ "head", 0, 0, G_OPTION_ARG_INT, &head, N_("Which display of that device, from 0 on"),
	  N_("NUMBER") },
	{},
};

static CtlExit report_errno(const char *what, int error)
{
	ctl_error("%s: %s", what, g_strerror(error));
	return CTL_FAILED;
}

static CtlExit write_all(int fd, const char *file, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return report_errno(file, errno);
		bytes += n;
		length -= (size_t)n;
	}
	return CTL_OK;
}

static CtlExit copy(int from, int to, const char *file)
{
	char buffer[65536];

	for (;;) {
		ssize_t n = read(from, buffer, sizeof(buffer));
		CtlExit code;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return report_errno(_("The picture"), errno);
		if (n == 0)
			return CTL_OK;
		code = write_all(to, file, buffer, (size_t)n);
		if (code != CTL_OK)
			return code;
	}
}

static CtlExit write_file(int picture, const char *file)
{
	int fd;
	CtlExit code;

	if (g_str_equal(file, "-"))
		return copy(picture, STDOUT_FILENO, _("The standard output"));
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return report_errno(file, errno);
	code = copy(picture, fd, file);
	/* Some file systems only say here that the disk is full. */
	if (close(fd) < 0 && code == CTL_OK)
		code = report_errno(file, errno);
	return code;
}

CtlExit screenshot_run(Ctl *ctl, char **arguments)
{
	const CallOption options[] = { { "device", .text = device }, { "head", .number = &head }, {} };
	g_auto(Call) call = {};
	CtlExit code = call_begin(ctl, arguments[0], options, &call);
	int picture;

	if (code != CTL_OK)
		return code;
	picture = vmh_domain_screenshot(call.domain, call.options, &call.error);
	code = call_end(&call, picture >= 0);
	if (code != CTL_OK)
		return code;
	code = write_file(picture, arguments[1]);
	close(picture);
	return code;
}
