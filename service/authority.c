/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "authority.h"

#include <errno.h>
#include <glib.h>

#include "base/log.h"

#define POLKIT           "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
/* CheckAuthorizationFlags of the interface. */
#define ALLOW_USER_INTERACTION 1u

struct Authority {
	sd_bus *bus;
	uint64_t last_cancellation;
	AuthorityChanged changed;
	void *userdata;
	sd_bus_slot *changed_slot, *owner_slot;
	bool fails;                 /* has been told */
};

struct AuthorityQuestion {
	Authority *authority;
	sd_bus_slot *slot;
	char *cancellation;
	AuthorityAnswered answered;
	void *userdata;
};

static int on_changed(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
	Authority *authority = userdata;

	authority->changed(authority->userdata);
	return 0;
}

Authority *authority_new(sd_bus *bus, AuthorityChanged changed, void *userdata)
{
	Authority *authority = g_new0(Authority, 1);
	int r;

	authority->bus = bus;
	authority->changed = changed;
	authority->userdata = userdata;
	r = sd_bus_match_signal_async(bus, &authority->changed_slot, POLKIT, POLKIT_PATH, POLKIT_INTERFACE,
				      "Changed", on_changed, NULL, authority);
	/* Rules that were changed while it was not there are told by nobody. */
	if (r >= 0)
		r = sd_bus_add_match_async(bus, &authority->owner_slot,
					   "type='signal',sender='org.freedesktop.DBus',"
					   "path='/org/freedesktop/DBus',"
					   "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
					   "arg0='" POLKIT "'", on_changed, NULL, authority);
	return r < 0 ? authority_free(authority) : authority;
}

Authority *authority_free(Authority *authority)
{
	if (!authority)
		return NULL;
	(void)sd_bus_slot_unref(authority->changed_slot);
	(void)sd_bus_slot_unref(authority->owner_slot);
	g_free(authority);
	return NULL;
}

static void question_free(AuthorityQuestion *question)
{
	(void)sd_bus_slot_unref(question->slot);
	g_free(question->cancellation);
	g_free(question);
}

AuthorityQuestion *authority_drop(AuthorityQuestion *question)
{
	sd_bus_message *message = NULL;
	int r;

	if (!question)
		return NULL;
	r = sd_bus_message_new_method_call(question->authority->bus, &message, POLKIT, POLKIT_PATH,
					   POLKIT_INTERFACE, "CancelCheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(message, "s", question->cancellation);
	if (r >= 0)
		r = sd_bus_message_set_auto_start(message, false);
	/* Without a cookie: no answer is wanted. */
	if (r >= 0)
		r = sd_bus_send(question->authority->bus, message, NULL);
	sd_bus_message_unref(message);
	if (r < 0)
		log_text(LOG_DEBUG, "A question to polkit cannot be taken back: %s", g_strerror(-r));
	question_free(question);
	return NULL;
}

/* ---- the answer ---- */

/* Once, until it works again: whoever calls would fill the log. */
static void note_failure(Authority *authority, const char *text)
{
	if (!authority->fails)
		log_text(LOG_WARNING, "polkit cannot be asked, so nobody but root is served: %s", text);
	authority->fails = true;
}

static AuthorityVerdict read_verdict(sd_bus_message *reply, const char **ret_text)
{
	const sd_bus_error *error = sd_bus_message_get_error(reply);
	int is_authorized, is_challenge, r;

	if (error) {
		*ret_text = error->message ?: error->name;
		return AUTHORITY_FAILED;
	}
	r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
	if (r >= 0)
		r = sd_bus_message_read(reply, "bb", &is_authorized, &is_challenge);
	if (r < 0) {
		*ret_text = "its answer has another form";
		return AUTHORITY_FAILED;
	}
	return is_authorized ? AUTHORITY_YES : is_challenge ? AUTHORITY_CHALLENGE : AUTHORITY_NO;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	AuthorityQuestion *question = userdata;
	const char *text = NULL;
	AuthorityVerdict verdict = read_verdict(reply, &text);

	if (verdict == AUTHORITY_FAILED)
		note_failure(question->authority, text);
	else
		question->authority->fails = false;
	question->answered(verdict, text, question->userdata);
	/* It may still be asking somebody. */
	if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY) ||
	    sd_bus_message_is_method_error(reply, SD_BUS_ERROR_TIMEOUT))
		(void)authority_drop(question);
	else
		question_free(question);
	return 1;
}

/* ---- the question ---- */

static int append_details(sd_bus_message *message, const AuthorityDetail *details, size_t n)
{
	int r = sd_bus_message_open_container(message, 'a', "{ss}");

	for (size_t i = 0; r >= 0 && i < n; i++)
		if (details[i].value)
			r = sd_bus_message_append(message, "{ss}", details[i].key, details[i].value);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

int authority_ask(Authority *authority, const char *subject, const char *action, const AuthorityDetail *details,
		  size_t n_details, bool interactive, AuthorityAnswered answered, void *userdata,
		  AuthorityQuestion **ret_question)
{
	AuthorityQuestion *question = g_new0(AuthorityQuestion, 1);
	uint64_t timeout_s = interactive ? AUTHORITY_INTERACTIVE_TIMEOUT_S : AUTHORITY_TIMEOUT_S;
	sd_bus_message *message = NULL;
	int r;

	question->authority = authority;
	question->answered = answered;
	question->userdata = userdata;
	question->cancellation = g_strdup_printf("vmherald-%" G_GUINT64_FORMAT, ++authority->last_cancellation);
	r = sd_bus_message_new_method_call(authority->bus, &message, POLKIT, POLKIT_PATH, POLKIT_INTERFACE,
					   "CheckAuthorization");
	if (r >= 0)
		r = sd_bus_message_append(message, "(sa{sv})s", "system-bus-name", 1, "name", "s", subject,
					  action);
	if (r >= 0)
		r = append_details(message, details, n_details);
	if (r >= 0)
		r = sd_bus_message_append(message, "us", interactive ? ALLOW_USER_INTERACTION : 0,
					  question->cancellation);
	if (r >= 0)
		r = sd_bus_call_async(authority->bus, &question->slot, message, on_answer, question,
				      timeout_s * G_USEC_PER_SEC);
	sd_bus_message_unref(message);
	if (r < 0)
		question_free(question);
	else
		*ret_question = question;
	return r;
}
