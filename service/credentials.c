/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "credentials.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "bus/names.h"

#define BUS_DRIVER "org.freedesktop.DBus"

/*
 * A message that waits is put at the end of what has been read when its sender is known. What he has sent later may have been
 * read already, and would overtake it; so as long as the first of `waiting` has not come again, whatever else comes of him is put behind
 * the others. The same message is the same pointer, since it is kept.
 */

typedef struct Sender {
	Credentials *credentials;
	char *name;
	uid_t uid;
	pid_t pid;
	sd_bus_slot *question;      /* NULL: he is known */
	GQueue waiting;             /* sd_bus_message, in their order */
	GList link;                 /* among those that are known */
} Sender;

struct Credentials {
	sd_bus *bus;
	GHashTable *senders;        /* unique name -> Sender */
	GQueue known;               /* the one that has been known the longest is the first */
	unsigned waiting;
};

static void refuse(sd_bus_message *message, const char *name, const char *text)
{
	const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, text);

	(void)sd_bus_reply_method_error(message, &error);
}

static void sender_free(void *data)
{
	Sender *sender = data;
	sd_bus_message *message;

	if (!sender->question)
		g_queue_unlink(&sender->credentials->known, &sender->link);
	(void)sd_bus_slot_unref(sender->question);
	while ((message = g_queue_pop_head(&sender->waiting))) {
		sender->credentials->waiting--;
		sd_bus_message_unref(message);
	}
	g_free(sender->name);
	g_free(sender);
}

static void refuse_all(Sender *sender, const char *name, const char *text)
{
	for (GList *link = sender->waiting.head; link; link = link->next)
		refuse(link->data, name, text);
	(void)g_hash_table_remove(sender->credentials->senders, sender->name);
}

/* ---- the answer of the bus ---- */

static int read_number(sd_bus_message *reply, uint32_t *ret_number)
{
	return sd_bus_message_read(reply, "v", "u", ret_number);
}

/* a{sv}, of which more keys may come to be known. */
static int read_credentials(sd_bus_message *reply, uint32_t *ret_uid, uint32_t *ret_pid)
{
	bool found = false;
	int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

	while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
		const char *key;

		r = sd_bus_message_read(reply, "s", &key);
		if (r < 0)
			return r;
		if (g_str_equal(key, "UnixUserID")) {
			r = read_number(reply, ret_uid);
			found = true;
		} else if (g_str_equal(key, "ProcessID")) {
			r = read_number(reply, ret_pid);
		} else {
			r = sd_bus_message_skip(reply, "v");
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(reply);
	}
	return r < 0 ? r : found ? 0 : -ENODATA;
}

static void come_again(Sender *sender)
{
	for (GList *link = sender->waiting.head, *next; link; link = next) {
		int r = sd_bus_enqueue_for_read(sender->credentials->bus, link->data);

		next = link->next;
		if (r >= 0)
			continue;
		refuse(link->data, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many messages wait in this service");
		sd_bus_message_unref(link->data);
		sender->credentials->waiting--;
		g_queue_delete_link(&sender->waiting, link);
	}
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	Sender *sender = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(reply);
	g_autofree char *text = NULL;
	uint32_t uid = 0, pid = 0;
	int r = error ? -sd_bus_message_get_errno(reply) : read_credentials(reply, &uid, &pid);

	if (r < 0) {
		text = g_strdup_printf("The bus does not say which user you are: %s",
				       error && error->message ? error->message : g_strerror(-r));
		log_text(LOG_DEBUG, "%s: %s", sender->name, text);
		refuse_all(sender, SD_BUS_ERROR_ACCESS_DENIED, text);
		return 1;
	}
	sender->question = sd_bus_slot_unref(sender->question);
	sender->uid = uid;
	sender->pid = (pid_t)pid;
	g_queue_push_tail_link(&sender->credentials->known, &sender->link);
	log_text(LOG_DEBUG, "%s is user %u, process %u", sender->name, uid, pid);
	come_again(sender);
	return 1;
}

static int ask(Sender *sender)
{
	return sd_bus_call_method_async(sender->credentials->bus, &sender->question, BUS_DRIVER,
					"/org/freedesktop/DBus", BUS_DRIVER, "GetConnectionCredentials",
					on_answer, sender, "s", sender->name);
}

/* ---- senders ---- */

/* One that is not needed at this moment. False if all are. */
static bool make_room(Credentials *credentials)
{
	for (GList *link = credentials->known.head; link; link = link->next) {
		Sender *sender = link->data;

		if (sender->waiting.length > 0)
			continue;
		return g_hash_table_remove(credentials->senders, sender->name);
	}
	return false;
}

static int add_sender(Credentials *credentials, const char *name, Sender **ret_sender)
{
	Sender *sender;
	int r;

	if (g_hash_table_size(credentials->senders) >= CREDENTIALS_SENDERS_MAX && !make_room(credentials))
		return -ENOBUFS;
	sender = g_new0(Sender, 1);
	sender->credentials = credentials;
	sender->name = g_strdup(name);
	sender->link.data = sender;
	g_queue_init(&sender->waiting);
	r = ask(sender);
	if (r < 0) {
		g_free(sender->name);
		g_free(sender);
		return r;
	}
	g_hash_table_insert(credentials->senders, sender->name, sender);
	*ret_sender = sender;
	return 0;
}

static int hold(Sender *sender, sd_bus_message *message, sd_bus_error *ret_error)
{
	Credentials *credentials = sender->credentials;
	int r;

	if (sender->waiting.length >= CREDENTIALS_WAITING_MAX ||
	    credentials->waiting >= CREDENTIALS_WAITING_ALL_MAX)
		return sd_bus_error_setf(ret_error, BUS_ERROR("LimitExceeded"),
					 "%u of your calls, and %u in all, wait until the bus has said who "
					 "has made them; try again later", sender->waiting.length,
					 credentials->waiting);
	if (!sender->question) {
		r = sd_bus_enqueue_for_read(credentials->bus, message);
		if (r < 0)
			return r;
	}
	g_queue_push_tail(&sender->waiting, sd_bus_message_ref(message));
	credentials->waiting++;
	return 1;
}

int credentials_filter(Credentials *credentials, sd_bus_message *message, sd_bus_error *ret_error)
{
	const char *name;
	Sender *sender;
	int r;

	if (!credentials)
		return 0;
	name = sd_bus_message_get_sender(message);
	if (!name)
		return sd_bus_error_set(ret_error, SD_BUS_ERROR_ACCESS_DENIED,
					"Nobody has said who sends this");
	sender = g_hash_table_lookup(credentials->senders, name);
	if (!sender) {
		r = add_sender(credentials, name, &sender);
		if (r < 0)
			return sd_bus_error_setf(ret_error, BUS_ERROR("LimitExceeded"),
						 "The bus cannot be asked which user you are: %s",
						 g_strerror(-r));
	}
	if (!sender->question && sender->waiting.length == 0)
		return 0;
	if (sender->question || g_queue_peek_head(&sender->waiting) != message)
		return hold(sender, message, ret_error);
	credentials->waiting--;
	sd_bus_message_unref(g_queue_pop_head(&sender->waiting));
	return 0;
}

bool credentials_get(const Credentials *credentials, const char *name, uid_t *ret_uid, pid_t *ret_pid)
{
	const Sender *sender;

	if (!credentials) {
		*ret_uid = getuid();
		if (ret_pid)
			*ret_pid = 0;
		return true;
	}
	sender = name ? g_hash_table_lookup(credentials->senders, name) : NULL;
	if (!sender || sender->question)
		return false;
	*ret_uid = sender->uid;
	if (ret_pid)
		*ret_pid = sender->pid;
	return true;
}

uid_t credentials_get_user(const Credentials *credentials, sd_bus_message *message)
{
	uid_t uid;

	return credentials_get(credentials, sd_bus_message_get_sender(message), &uid, NULL) ? uid : (uid_t)-1;
}

void credentials_forget(Credentials *credentials, const char *name)
{
	if (credentials)
		(void)g_hash_table_remove(credentials->senders, name);
}

unsigned credentials_count_waiting(const Credentials *credentials)
{
	return credentials ? credentials->waiting : 0;
}

unsigned credentials_count_senders(const Credentials *credentials)
{
	return credentials ? g_hash_table_size(credentials->senders) : 0;
}

Credentials *credentials_new(sd_bus *bus)
{
	Credentials *credentials = g_new0(Credentials, 1);

	credentials->bus = bus;
	credentials->senders = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, sender_free);
	g_queue_init(&credentials->known);
	return credentials;
}

Credentials *credentials_free(Credentials *credentials)
{
	GHashTableIter iter;
	void *value;

	if (!credentials)
		return NULL;
	g_hash_table_iter_init(&iter, credentials->senders);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Sender *sender = value;

		for (GList *link = sender->waiting.head; link; link = link->next)
			refuse(link->data, BUS_ERROR("MonitorLost"), "The service is leaving");
	}
	g_hash_table_unref(credentials->senders);
	g_free(credentials);
	return NULL;
}
