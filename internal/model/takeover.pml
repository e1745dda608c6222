/*
 * The lease, the place and the takeover.
 *
 * One line of candidates (two or three), or two lines in whose first places the same session stands. Each
 * has its znode n and its heartbeat R at the start; joining is in record.pml. At any instant any of
 * these may happen:
 *
 *   - a request is carried out at once, late (after its answer was given up), or never
 *   - an answer is lost, with its connection or without
 *   - a server lags: it tells of a deletion late, and shows an R that has changed since
 *   - a session expires; somebody deletes n, or R, or writes R by hand
 *   - somebody takes away READ on n: a check of n fails, and no event tells its session of n's deletion
 *   - a process is paused: nobody has to do anything, ever, while the ticks go on
 *   - a clock misses a tick
 *
 * Versions. They only grow, and every rule asks one thing: is the version that I know R's version still?
 * So the model keeps a bit for each version that somebody knows, and every write to R clears these bits
 * (versionMoves). A session may so beat for ever.
 *
 * Lagging servers. A server shows each znode as it is or as it was, from what this client last saw of it.
 * No order among different znodes is relied on, nor any event: whether n existed when a beat was committed
 * is known from the check in the beat itself (the holding rule).
 *
 * Searched for: a state in which two candidates of a line have a valid term (the assertion in alone).
 */

#ifndef CANDIDATES
#define CANDIDATES 2            /* in one line; with LINES == 2 it is one session in both lines, and an heir in each */
#endif
#ifndef LINES
#define LINES 1
#endif
#ifndef D
#define D 2                     /* the lease, in ticks */
#endif
#ifndef DRIFT
#define DRIFT 1                 /* clocks may miss ticks: at most one in any D + 1 ticks */
#endif
#ifndef BROKEN
#define BROKEN 0                /* the rule that is broken, by name */
#endif
#ifndef GOAL
#define GOAL 0                  /* what is to be reached, by name: the search then has to end in a failed assertion */
#endif

/* The broken variants. */
#define no_version           1   /* the takeover sets R at whatever version it has */
#define other_writes         2   /* a write that is no beat extends the lease */
#define no_check             3   /* a beat extends a place without checking it */
#define event_as_check       4   /* so it does, unless an event of n's deletion has come: READ may be taken away */
#define failed_check         5   /* a failed check is forgotten: the beat counts all the same */
#define created_twice        6   /* a session that finds its R gone creates it again */
#define t_when_sent          7   /* t is when the read was sent */
#define t_of_older           8   /* t stays that of an older version */
#define listening_watch      9   /* the heir trusts a watch on R across a reconnect */
#define revoked_unchecked   10   /* a revocation is believed without a check of R's version */
#define gone_as_revoked     11   /* R gone is taken for R revoked */
#define lease_from_answer   12   /* the lease counts from the answer */
#define no_margin           13   /* the heir waits D by its own clock, not (17/16) D */
#define revived             14   /* a term whose lease has run out goes on with a later beat */
#define badversion_success  15   /* BadVersion is taken for success: "my late beat it was" */
#define no_wait             16   /* after an unannounced departure the heir leads at once */
#define announced_first     17   /* the leader announces its departure before it has stopped */
#define taken_back          18   /* a leader that has sent its departure still leads when the answer is lost */
#define lost_as_success     19   /* a takeover whose answer is lost is taken for success */
#define refused_as_success  20   /* a takeover that finds n gone is taken for success */
#define longer_lease        21   /* a session with a longer lease than the line's is let in */
#define read_as_beat        22   /* a read of R that shows it unrevoked extends the lease */
#define beat_any_czxid      23   /* a beat counts whatever R's czxid */
#define takeover_any_czxid  24   /* so does a takeover */
#define made_again          25   /* somebody deletes n and makes a znode of its name: a check asks for the name alone */

/* What has to be reached. */
#define a_takeover           1   /* an heir takes over from a silent one and leads */
#define an_announcement      2   /* an heir leads after an announced departure */
#define a_wait               3   /* an heir leads after it has waited for an unannounced departure */
#define a_gone_r             4   /* an heir takes over where R is gone */
#define a_late_beat          5   /* a beat is committed after its answer was given up */
#define a_late_takeover      6   /* so is a takeover */
#define a_missed_takeover    7   /* a takeover fails because a beat was on its way */
#define a_failed_check       8   /* a beat finds n gone */
#define a_confirmed          9   /* an heir leads because R was revoked by the heir of another line */
#define an_unrevoked        10   /* an heir finds that R is revoked no more */
#define a_second            11   /* the second in line takes over from a silent heir, and leads */
#define an_alien            12   /* a takeover meets an R made by hand */
#define an_alien_beat       13   /* a beat does */

#define reached(goal) assert(GOAL != goal)

#include "place.pml"
#include "beat.pml"
#include "heir.pml"
#include "world.pml"

init {
	d_step {
		steady = (DRIFT -> D : 0);
		for (i : FIRST_HEIR .. PLACES - 1) {
			findFront(i)
		};
		i = 0
	};
	atomic {
		i = 0;
		do
		:: i < SESSIONS -> run Beats(i); run Faults(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < PLACES ->
			if
			:: !last(i) -> run Holds(i); run Leaves(i)
			:: else
			fi;
			run Leads(i);
			i++
		:: else -> break
		od;
		i = FIRST_HEIR;
		do
		:: i < PLACES ->
			run Heir(i);
			j = 0;
			do
			:: j < i && ahead(j, i) -> run Hears(i, j); j++
			:: j < i && !ahead(j, i) -> j++
			:: else -> break
			od;
			i++
		:: else -> break
		od;
		i = 0;
		j = 0;
		run Time()
	}
}
