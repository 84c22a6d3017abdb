/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "domain/domain-internal.h"
#include "domain/domain-log.h"
#include "domain/filter-follow.h"

/*
 * The host follows its guests: a filter that has been read (nics.c) goes to a worker, which brings the link of that
 * NIC into line with it (filter-follow.c), and only then the guest's change is told, with what has come of it.
 *
 *    seen ------> nic_sync_begin()                          this NIC is not queried until it is done
 *                     '--> worker: read, plan, apply        on a strand of its own: nothing waits for a NIC
 *                              '--> commit: nics_tell(), done
 *
 * A link that is deleted under the guest makes its filter be read once more (net/link-watch.h), and then is found gone.
 *
 * What comes back for a NIC that has gone meanwhile, or has another link, is dropped; so is what comes back when
 * QEMU has ended.
 *
 * WARNING: the end of the run waits for the workers here: they write into the folder that it removes.
 */

typedef struct SyncJob SyncJob;

/* A NIC that stands on a link, for as long as that is so. */
typedef struct NicSync {
	Domain *domain;              /* that holds it */
	char *nic;
	HostNic *link;
	LinkWatchEntry *watch;       /* NULL: its index is not known */
	Strand *strand;
	HostFilterOwn *own;          /* NULL: not read yet */
	bool unnoted;                /* see filter-follow.h */
	bool gone;                   /* the link was, when it was looked at last */
	bool known;                  /* it has been looked at; then host says what was seen last */
	DomainNicHost host;
	SyncJob *job;                /* the one under way, or NULL */
} NicSync;

static void nic_sync_free(void *data)
{
	NicSync *sync = data;

	link_watch_remove(sync->watch);
	host_nic_free(sync->link);
	host_filter_own_free(sync->own);
	strand_unref(sync->strand);
	g_free(sync->nic);
	g_free(sync->host.error);
	g_free(sync);
}

void nic_sync_init(Domain *domain)
{
	domain->nic_syncs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, nic_sync_free);
}

bool nic_sync_is_working(const Domain *domain)
{
	return domain->nic_jobs > 0;
}

const DomainNicHost *domain_get_nic_host(const Domain *domain, const char *nic)
{
	const NicSync *sync = g_hash_table_lookup(domain->nic_syncs, nic);

	return sync && sync->known ? &sync->host : NULL;
}

const HostFilterOwn *nic_sync_get_own(const Domain *domain, const char *nic)
{
	const NicSync *sync = g_hash_table_lookup(domain->nic_syncs, nic);

	return sync ? sync->own : NULL;
}

/* ---- a job ---- */

/* What all items here have in common. The strand is held, for its NIC may be forgotten meanwhile. */
typedef struct Errand {
	Domain *domain;
	uint64_t run;
	Strand *strand;
	bool is_over;
} Errand;

static Errand errand_new(Domain *domain, const NicSync *sync)
{
	domain->nic_jobs++;
	return (Errand){ domain_ref(domain), domain->run, strand_ref(sync->strand), false };
}

/* Always reached, by done() or, if the strand was closed before, by free(). */
static void errand_end(Errand *errand)
{
	if (!errand->is_over)
		errand->domain->nic_jobs--;
	errand->is_over = true;
}

static void errand_clear(Errand *errand)
{
	errand_end(errand);
	strand_unref(errand->strand);
	domain_unref(errand->domain);
}

struct SyncJob {
	Errand errand;
	FilterFollow follow;
	RxFilter *before;            /* or NULL */
	bool requested;
};

static StrandStep sync_work(void *data)
{
	filter_follow_run(&((SyncJob *)data)->follow);
	return STRAND_DONE;
}

/* Not once for each change: a guest that makes the same fail again and again says nothing new. */
static void log_failure(Domain *domain, const NicSync *sync, const char *nic, const GError *error)
{
	const LogField fields[] = {
		{ LOG_FIELD_LINK, sync->link->link },
		{ LOG_FIELD_ERROR, error->message },
		{ NULL },
	};

	if (!sync->host.error || !g_str_equal(sync->host.error, error->message))
		domain_log_event(domain, LOG_ID_FILTER_FAILED, fields, "the host does not follow its guest's '%s': %s",
				 nic, error->message);
}

/* True if it is not what was told last. */
static bool take_outcome(NicSync *sync, const FilterFollow *follow)
{
	const char *error = follow->error ? follow->error->message : NULL;
	bool news = follow->changed || g_strcmp0(sync->host.error, error) != 0 ||
		    (sync->known && sync->host.synced != follow->synced);

	g_free(sync->host.error);
	sync->host.error = g_strdup(error);
	sync->host.synced = follow->synced;
	sync->known = true;
	return news;
}

static void commit(Domain *domain, NicSync *sync, SyncJob *job)
{
	FilterFollow *follow = &job->follow;
	const char *nic = follow->guest->nic;
	bool gone = g_error_matches(follow->error, CORE_ERROR, CORE_ERROR_NO_SUCH_LINK);
	bool first_time = gone && !sync->gone;
	bool news;

	sync->job = NULL;
	sync->gone = gone;
	g_clear_pointer(&sync->own, host_filter_own_free);
	sync->own = g_steal_pointer(&follow->own);
	sync->unnoted = follow->unnoted;
	/* A link goes with a NIC that is plugged out and with its QEMU, and then there is nobody who answers. */
	if (first_time) {
		filter_watch_repeat(domain->filter_watch, nic);
		return;
	}
	if (follow->error)
		log_failure(domain, sync, nic, follow->error);
	news = take_outcome(sync, follow);
	filter_watch_commit(domain->filter_watch, nic);
	nics_tell(domain, job->before, follow->guest, job->requested, news);
	filter_watch_done(domain->filter_watch, nic);
}

static void sync_done(void *data)
{
	SyncJob *job = data;
	Domain *domain = job->errand.domain;
	NicSync *sync;

	errand_end(&job->errand);
	if (!domain->host || domain->run != job->errand.run)
		return;
	sync = g_hash_table_lookup(domain->nic_syncs, job->follow.guest->nic);
	if (sync && sync->job == job && !domain->process_exited)
		commit(domain, sync, job);
	handover_update_settled(domain);
	run_end_check(domain);
}

static void sync_free(void *data)
{
	SyncJob *job = data;

	filter_follow_clear(&job->follow);
	g_clear_pointer(&job->before, rx_filter_unref);
	errand_clear(&job->errand);
	g_free(job);
}

static const StrandItemClass sync_class = { sync_work, NULL, sync_done, sync_free };

/* ---- a NIC ---- */

/* By somebody else, or by us because its NIC goes; then QEMU does not know that NIC any more. */
static void on_link_deleted(void *userdata)
{
	NicSync *sync = userdata;
	Domain *domain = sync->domain;

	if (domain->monitor && !domain->process_exited && !domain->ending)
		filter_watch_retry(domain->filter_watch, sync->nic);
}

static NicSync *get_sync(Domain *domain, const char *nic, const HostNic *link)
{
	NicSync *sync = g_hash_table_lookup(domain->nic_syncs, nic);

	if (sync && (!g_str_equal(sync->link->link, link->link) || sync->link->index != link->index)) {
		nic_sync_forget(domain, nic);
		sync = NULL;
	}
	if (sync)
		return sync;
	sync = g_new0(NicSync, 1);
	sync->domain = domain;
	sync->nic = g_strdup(nic);
	sync->link = host_nic_copy(link);
	if (link->index != 0)
		sync->watch = link_watch_add(domain->host->links, link->index, on_link_deleted, sync);
	sync->host.link = sync->link->link;
	sync->strand = strand_new(domain->host->pool);
	g_hash_table_insert(domain->nic_syncs, g_strdup(nic), sync);
	return sync;
}

static bool is_trusted(const Domain *domain, const char *nic)
{
	const GPtrArray *interfaces = domain->definition->interfaces;

	for (unsigned i = 0; i < interfaces->len; i++) {
		const DefinitionInterface *interface = g_ptr_array_index(interfaces, i);

		if (g_str_equal(interface->id, nic))
			return interface->trust_guest_rx_filters;
	}
	return false;
}

bool nic_sync_begin(Domain *domain, RxFilter *before, RxFilter *now, bool requested)
{
	const HostNic *link = g_hash_table_lookup(domain->host_nics, now->nic);
	NicSync *sync;
	SyncJob *job;

	if (!link)
		return false;
	sync = get_sync(domain, now->nic, link);
	job = g_new0(SyncJob, 1);
	job->errand = errand_new(domain, sync);
	job->before = before ? rx_filter_ref(before) : NULL;
	job->requested = requested;
	job->follow = (FilterFollow){
		.directory = g_strdup(domain->directory),
		.link = host_nic_copy(link),
		.guest = rx_filter_ref(now),
		.trusted = is_trusted(domain, now->nic),
		.own = sync->own ? host_filter_own_copy(sync->own) : NULL,
		.unnoted = sync->unnoted,
	};
	sync->job = job;
	strand_push(sync->strand, &sync_class, job);
	return true;
}

void nic_sync_add_details(const Domain *domain, const char *nic, Event *event)
{
	const DomainNicHost *host = domain_get_nic_host(domain, nic);

	if (!host)
		return;
	event_add_detail(event, "host-interface", g_variant_new_string(host->link));
	event_add_detail(event, "host-synced", g_variant_new_boolean(host->synced));
	if (host->error)
		event_add_detail(event, "host-error", g_variant_new_string(host->error));
}

/* ---- its end ---- */

typedef struct EndJob {
	Errand errand;
	char *directory, *name;
	HostNic *link;
} EndJob;

static StrandStep end_work(void *data)
{
	const EndJob *job = data;

	filter_follow_end(job->directory, job->link, job->name);
	return STRAND_DONE;
}

static void end_done(void *data)
{
	EndJob *job = data;
	Domain *domain = job->errand.domain;

	errand_end(&job->errand);
	if (domain->host && domain->run == job->errand.run)
		run_end_check(domain);
}

static void end_free(void *data)
{
	EndJob *job = data;

	g_free(job->directory);
	g_free(job->name);
	host_nic_free(job->link);
	errand_clear(&job->errand);
	g_free(job);
}

static const StrandItemClass end_class = { end_work, NULL, end_done, end_free };

void nic_sync_forget(Domain *domain, const char *nic)
{
	NicSync *sync = g_hash_table_lookup(domain->nic_syncs, nic);
	EndJob *job;

	if (!sync)
		return;
	/* The end of the run does the same for all of them. */
	if (!domain->ending) {
		job = g_new0(EndJob, 1);
		job->errand = errand_new(domain, sync);
		job->directory = g_strdup(domain->directory);
		job->name = g_strdup(domain_get_name(domain));
		job->link = host_nic_copy(sync->link);
		/* Behind a job that is under way, whose outcome nobody waits for any more. */
		strand_push(sync->strand, &end_class, job);
	}
	(void)g_hash_table_remove(domain->nic_syncs, nic);
}
