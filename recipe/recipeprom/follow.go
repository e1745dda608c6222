package recipeprom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/recipe/value"
)

// Own members of a group.
var (
	listedDesc     = describe("group_listed", "Members of this process that know that they are listed.")
	unlistedDesc   = describe("group_unlisted", "Members of this process that are not listed, or do not know it, though their membership goes on.")
	listingsDesc   = describe("group_listings_total", "How often a member of this process was listed.")
	rejoinsDesc    = describe("group_rejoins_total", "How often a member of this process had to make another znode.")
	unlistDesc     = describe("group_unlistings_total", "How often a member of this process was not listed any more, by reason.", "reason")
	memberFailDesc = describe("group_failures_total", "Attempts to be listed that failed.")
	memberDropDesc = describe("group_events_dropped_total", droppedHelp)
)

func addMember(total, one group.MemberStatus) group.MemberStatus {
	total.Listings += one.Listings
	total.Znodes += max(one.Znodes, 1) - 1
	total.Failed += one.Failed
	total.Ended = plus(total.Ended, one.Ended)
	total.EventsDropped += one.EventsDropped
	return total
}

func collectMembers(o *out, p *polled[group.MemberStatus]) {
	total, now, ok := p.ask()
	if !ok {
		return
	}
	var listed, unlisted float64
	for _, st := range now {
		switch {
		case st.Listed:
			listed++
		case st.Over == nil:
			unlisted++
		}
	}
	o.gauge(listedDesc, listed)
	o.gauge(unlistedDesc, unlisted)
	o.counter(listingsDesc, float64(total.Listings))
	o.counter(rejoinsDesc, float64(total.Znodes))
	o.counter(memberFailDesc, float64(total.Failed))
	o.counter(memberDropDesc, float64(total.EventsDropped))
	o.reasons(unlistDesc, total.Ended,
		recipe.ReasonReleased, recipe.ReasonClosed, recipe.ReasonLeaseExpired, recipe.ReasonSessionLost, recipe.ReasonNodeDeleted)
}

// What follows a group.
var (
	membersDesc = describe("group_members", "Members that are seen in the group.")
	joinedDesc  = describe("group_joined_total", "Members that were seen to come.")
	leftDesc    = describe("group_left_total", "Members that were seen to go.")
	listAgeDesc = describe("group_age_seconds", "Age of the oldest list of members whose age is proved all the time, in seconds.")
	listsDesc   = describe("group_lists", "How many lists of members are followed.")
	knownDesc   = describe("group_lists_known", "How many of them are known, and still followed.")
)

func addMembers(total, one group.MembersStatus) group.MembersStatus {
	total.Joined += one.Joined
	total.Left += one.Left
	return total
}

func collectLists(o *out, p *polled[group.MembersStatus]) {
	total, now, ok := p.ask()
	if !ok {
		return
	}
	var members, known float64
	for _, st := range now {
		members += float64(st.Members)
		if st.Known && st.Over == nil {
			known++
		}
	}
	o.gauge(listsDesc, float64(len(now)))
	o.gauge(knownDesc, known)
	o.gauge(membersDesc, members)
	gaugeOldest(o, listAgeDesc, now, func(st group.MembersStatus) (time.Duration, bool) { return st.Age, st.Known && st.Proved })
	o.counter(joinedDesc, float64(total.Joined))
	o.counter(leftDesc, float64(total.Left))
}

// Caches.
var (
	cachesDesc    = describe("cache_caches", "How many caches there are.")
	followingDesc = describe("cache_following", "How many of them are complete, and told of each change.")
	znodesDesc    = describe("cache_znodes", "Znodes that are held.")
	bytesDesc     = describe("cache_bytes", "Bytes of their names and data.")
	unreadDesc    = describe("cache_unread", "Znodes that are being read, or wait for it.")
	cacheAgeDesc  = describe("cache_age_seconds", "Time since it was proved last that nothing is missing, of the oldest cache, in seconds.")
	readsDesc     = describe("cache_reads_total", "Requests for data, lists and Stats.")
	eventsDesc    = describe("cache_events_total", "Events that the servers have sent.")
	changesDesc   = describe("cache_changes_total", "Changes of znodes.")
	restoresDesc  = describe("cache_restores_total", "How often the watches were left on a new connection.")
	proofsDesc    = describe("cache_proofs_total", "How often it was proved that nothing is missing.")
)

func addCache(total, one cache.Status) cache.Status {
	t, c := &total.Counts, one.Counts
	t.Reads, t.Events, t.Restores = t.Reads+c.Reads, t.Events+c.Events, t.Restores+c.Restores
	t.Proofs, t.Changes = t.Proofs+c.Proofs, t.Changes+c.Changes
	return total
}

func collectCaches(o *out, p *polled[cache.Status]) {
	total, now, ok := p.ask()
	if !ok {
		return
	}
	var sum cache.Status
	following := 0.0
	for _, st := range now {
		sum.Nodes += st.Nodes
		sum.Bytes += st.Bytes
		sum.Unread += st.Unread
		if st.Loaded && st.Following && st.Over == nil {
			following++
		}
	}
	o.gauge(cachesDesc, float64(len(now)))
	o.gauge(followingDesc, following)
	o.gauge(znodesDesc, float64(sum.Nodes))
	o.gauge(bytesDesc, float64(sum.Bytes))
	o.gauge(unreadDesc, float64(sum.Unread))
	gaugeOldest(o, cacheAgeDesc, now, func(st cache.Status) (time.Duration, bool) { return st.Age, st.Loaded })
	c := total.Counts
	o.counter(readsDesc, float64(c.Reads))
	o.counter(eventsDesc, float64(c.Events))
	o.counter(changesDesc, float64(c.Changes))
	o.counter(restoresDesc, float64(c.Restores))
	o.counter(proofsDesc, float64(c.Proofs))
}

// gaugeOldest reports the largest age of those that have one. It reports nothing if none has.
func gaugeOldest[S any](o *out, d *prometheus.Desc, now []S, age func(S) (time.Duration, bool)) {
	var oldest time.Duration
	known := false
	for _, st := range now {
		if a, ok := age(st); ok {
			known, oldest = true, max(oldest, a)
		}
	}
	if known {
		o.gauge(d, oldest.Seconds())
	}
}

// Values and counters.
var (
	valueChangesDesc = describe("value_changes_total", "Changes of values and counters that were carried out.")
	writesDesc       = describe("value_writes_total", "Transactions that have carried them out.")
	conflictsDesc    = describe("value_conflicts_total", "Attempts that were too late, because somebody else had changed the znode.")
	lostAnswersDesc  = describe("value_lost_answers_total", "Transactions whose answer was lost.")
	unknownDesc      = describe("value_unknown_total", "Changes whose outcome is not known.")
)

func addCounts(total, one value.Counts) value.Counts {
	total.Changes += one.Changes
	total.Writes += one.Writes
	total.Conflicts += one.Conflicts
	total.Lost += one.Lost
	total.Unknown += one.Unknown
	return total
}

func collectValues(o *out, p *polled[value.Counts]) {
	total, _, ok := p.ask()
	if !ok {
		return
	}
	o.counter(valueChangesDesc, float64(total.Changes))
	o.counter(writesDesc, float64(total.Writes))
	o.counter(conflictsDesc, float64(total.Conflicts))
	o.counter(lostAnswersDesc, float64(total.Lost))
	o.counter(unknownDesc, float64(total.Unknown))
}
