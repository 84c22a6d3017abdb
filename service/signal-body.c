/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "signal-body.h"

#include <string.h>

#include "domain-signals.h"

/*
 * Every event is written to the history before it is sent, so in a storm these bytes count: to make a GVariant of each
 * took as long as to make the message. What most signals are, their members and no details but a name, is written at
 * once in the form that GVariant gives it (the specification of GVariant, "Serialisation Format"):
 *
 *    each member at a multiple of its alignment from the beginning; "s" ends in NUL; "b" is a byte
 *    behind the last member, where each "s" ends, that of the first "s" last; of 1, 2, 4 or 8 bytes, as few as will do for
 *    the length of all
 *
 * An "a{sv}" that is the last member needs no such end. Its entries are at multiples of 8, and behind them is where
 * each ends, that of the first first. An entry is a key, a variant at a multiple of 8 (its value, NUL, its type), and where the
 * key ends.
 */

static GVariant *get_argument(char type, const DomainSignalArgument *argument, const Event *event)
{
	const void *place = domain_signal_get_place(argument, event);

	switch (type) {
	case 's':
		return g_variant_new_string(domain_signal_get_text(argument, event));
	case 'b':
		return g_variant_new_boolean(*(const bool *)place);
	case 't':
		return g_variant_new_uint64(*(const uint64_t *)place);
	case 'x':
		return g_variant_new_int64(*(const int64_t *)place);
	default:
		g_assert_not_reached();
	}
}

static void add_children(GVariantBuilder *builder, GVariant *container)
{
	for (size_t i = 0; i < g_variant_n_children(container); i++) {
		g_autoptr(GVariant) child = g_variant_get_child_value(container, i);

		g_variant_builder_add_value(builder, child);
	}
}

static void add_arguments(GVariantBuilder *builder, const Event *event)
{
	const DomainSignal *signal = domain_signal_of(event->kind);
	g_autoptr(GVariant) encoded = signal->encode ? g_variant_ref_sink(signal->encode(event)) : NULL;

	if (encoded)
		add_children(builder, encoded);
	for (unsigned i = 0; !encoded && signal->signature[i]; i++)
		g_variant_builder_add_value(builder, get_argument(signal->signature[i],
								  &signal->arguments[i], event));
}

static GVariant *make_details(const Event *event)
{
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
	if (event->stamp.domain_previous != 0)
		g_variant_builder_add(&builder, "{sv}", EVENT_DETAIL_DOMAIN_PREVIOUS,
				      g_variant_new_uint64(event->stamp.domain_previous));
	if (event->name)
		g_variant_builder_add(&builder, "{sv}", EVENT_DETAIL_NAME, g_variant_new_string(event->name));
	if (event->details)
		add_children(&builder, event->details);
	return g_variant_builder_end(&builder);
}

GVariant *signal_body_new(const Event *event)
{
	GVariantBuilder builder;

	g_variant_builder_init(&builder, G_VARIANT_TYPE_TUPLE);
	add_arguments(&builder, event);
	g_variant_builder_add(&builder, "(ttt)", event->stamp.sequence, event->stamp.previous,
			      (uint64_t)event->time);
	g_variant_builder_add_value(&builder, make_details(event));
	return g_variant_builder_end(&builder);
}

char *signal_body_get_type(EventKind kind)
{
	return g_strconcat("(", domain_signal_of(kind)->signature, SIGNAL_STAMP_SIGNATURE ")", NULL);
}

/* ---- without a GVariant ---- */

typedef struct Writer {
	GByteArray *out;
	size_t start;
	size_t ends[DOMAIN_SIGNAL_ARGUMENTS_MAX];
	unsigned n_ends;
} Writer;

static size_t get_length(const Writer *writer)
{
	return writer->out->len - writer->start;
}

static void put(Writer *writer, const void *bytes, size_t n)
{
	g_byte_array_append(writer->out, bytes, (unsigned)n);
}

static void align(Writer *writer)
{
	static const char zeros[sizeof(uint64_t)];

	put(writer, zeros, -get_length(writer) % sizeof(zeros));
}

static void put_number(Writer *writer, uint64_t number)
{
	align(writer);
	put(writer, &number, sizeof(number));
}

static void put_argument(Writer *writer, char type, const DomainSignalArgument *argument, const Event *event)
{
	const void *place = domain_signal_get_place(argument, event);
	const char *text;

	switch (type) {
	case 's':
		text = domain_signal_get_text(argument, event);
		put(writer, text, strlen(text) + 1);
		writer->ends[writer->n_ends++] = get_length(writer);
		break;
	case 'b':
		put(writer, &(char){ *(const bool *)place }, 1);
		break;
	default:
		put_number(writer, *(const uint64_t *)place);
	}
}

/* Of each end in a container of this length without its n ends. */
static unsigned get_end_size(size_t length, unsigned n)
{
	static const size_t limits[] = { G_MAXUINT8, G_MAXUINT16, G_MAXUINT32 };
	unsigned size = 1;

	for (unsigned i = 0; i < G_N_ELEMENTS(limits) && length + (size_t)size * n > limits[i]; i++)
		size *= 2;
	return size;
}

static void put_end(Writer *writer, size_t end, unsigned size)
{
	uint64_t bytes = GUINT64_TO_LE(end);

	put(writer, &bytes, size);
}

/* The value: of so many bytes, which are on this machine as they are there. */
static void put_entry(Writer *writer, const char *key, char type, const void *value, size_t size)
{
	size_t start, key_end;

	align(writer);
	start = get_length(writer);
	put(writer, key, strlen(key) + 1);
	key_end = get_length(writer) - start;
	align(writer);
	put(writer, value, size);
	put(writer, (const char[]){ '\0', type }, 2);
	put_end(writer, key_end, get_end_size(get_length(writer) - start, 1));
}

static void put_details(Writer *writer, const Event *event)
{
	const uint64_t *number = &event->stamp.domain_previous;
	size_t start = get_length(writer), ends[2];
	unsigned n = 0, size;

	if (*number != 0) {
		put_entry(writer, EVENT_DETAIL_DOMAIN_PREVIOUS, 't', number, sizeof(*number));
		ends[n++] = get_length(writer) - start;
	}
	if (event->name) {
		put_entry(writer, EVENT_DETAIL_NAME, 's', event->name, strlen(event->name) + 1);
		ends[n++] = get_length(writer) - start;
	}
	size = get_end_size(get_length(writer) - start, n);
	for (unsigned i = 0; i < n; i++)
		put_end(writer, ends[i], size);
}

static void put_ends(Writer *writer)
{
	unsigned size = get_end_size(get_length(writer), writer->n_ends);

	while (writer->n_ends > 0)
		put_end(writer, writer->ends[--writer->n_ends], size);
}

static void write_plain(const Event *event, GByteArray *out)
{
	const DomainSignal *signal = domain_signal_of(event->kind);
	Writer writer = { .out = out, .start = out->len };

	for (unsigned i = 0; signal->signature[i]; i++)
		put_argument(&writer, signal->signature[i], &signal->arguments[i], event);
	put_number(&writer, event->stamp.sequence);
	put_number(&writer, event->stamp.previous);
	put_number(&writer, (uint64_t)event->time);
	put_details(&writer, event);
	put_ends(&writer);
}

void signal_body_write(const Event *event, GByteArray *out)
{
	if (event->details || domain_signal_of(event->kind)->encode) {
		g_autoptr(GVariant) body = g_variant_ref_sink(signal_body_new(event));

		g_byte_array_append(out, g_variant_get_data(body), (unsigned)g_variant_get_size(body));
	} else {
		write_plain(event, out);
	}
}
