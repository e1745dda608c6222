/*
 * The lease, the place and the takeover, as in design.md, "The lease: from the order of writes alone".
 *
 * One line of candidates (two or three), or two lines in whose first places the same session stands. Who stands at the
 * start has its znode n and its heartbeat R; joining is in record.pml. At any instant any of these may happen:
 *
 *   - a request is carried out at once, late (after its answer was given up), or never
 *   - an answer is lost, the connection is lost and made again, and the watches with it
 *   - a server lags: it tells of a deletion late, and shows an R that has changed since
 *   - a session expires; somebody deletes n, or R, or writes R by hand
 *   - a process is paused: nobody has to do anything, ever, while the ticks go on
 *   - a clock misses a tick
 *
 * Versions. They only grow, and every rule asks one thing: is the version that I know R's version still? So the model keeps
 * a bit for each version that somebody knows, and every write to R clears these bits (versionMoves). A session may so beat for ever.
 *
 * Lagging servers. A server shows each znode as it is or as it was, from what this client last saw of it. No order among different znodes is
 * relied on, except that the events of all writes up to a beat come before the beat's answer (the holding rule).
 *
 * Searched for: a state in which two candidates of a line have a valid term (assertions in leads and valid).
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
#ifndef RECONNECTS
#define RECONNECTS 1            /* connections can be lost; 0 to keep the states few */
#endif
#ifndef BROKEN
#define BROKEN 0                /* the rule that is broken, by name */
#endif
#ifndef GOAL
#define GOAL 0                  /* what is to be reached, by name: the search then has to end in a failed assertion */
#endif

/* The broken variants. */
#define no_version          1   /* the takeover sets R at whatever version it has */
#define other_writes        2   /* a write that is no beat extends the lease */
#define watch_trusted       3   /* the watch on n is trusted across a reconnect */
#define no_check            4   /* no check of n in the first beat after arming */
#define no_holding          5   /* the beat alone counts; nobody looks at n */
#define failed_check        6   /* a failed check of n is forgotten */
#define created_twice       7   /* a session that finds its R gone creates it again */
#define t_when_sent         8   /* t is when the read was sent */
#define t_of_older          9   /* t stays that of an older version */
#define listening_watch    10   /* the heir trusts a watch on R across a reconnect */
#define revoked_unchecked  11   /* a revocation is believed without a check of R's version */
#define gone_as_revoked    12   /* R gone is taken for R revoked */
#define lease_from_answer  13   /* the lease counts from the answer */
#define no_margin          14   /* the heir waits D by its own clock, not (17/16) D */
#define revived            15   /* a term whose lease has run out goes on with a later beat */
#define badversion_success 16   /* BadVersion is taken for success: "my late beat it was" */
#define no_wait            17   /* after an unannounced departure the heir leads at once */
#define announced_first    18   /* who leads announces its departure before it has stopped */
#define taken_back         19   /* who has sent its departure leads on when the answer is lost */
#define lost_as_success    20   /* a takeover whose answer is lost is taken for success */
#define refused_as_success 21   /* a takeover that finds n gone is taken for success */
#define longer_lease       22   /* a session with a longer lease than the line's is let in */
#define read_as_beat       23   /* a read of R that shows it unrevoked extends the lease */
#define other_events       24   /* an event of n that is no deletion leaves the watch as it was, it is believed */
#define beat_any_czxid     25   /* a beat counts whatever R's czxid */
#define takeover_any_czxid 26   /* so does a takeover */
#define check_before_arming 27  /* a check counts that was sent before the watch was armed again */
#define no_own_check       28   /* the takeover carries no check of the own znode */

/* What has to be reached. */
#define a_takeover          1   /* an heir takes over from a silent one and leads */
#define an_announcement     2   /* an heir leads after an announced departure */
#define a_wait              3   /* an heir leads after it has waited for an unannounced departure */
#define a_gone_r            4   /* an heir takes over where R is gone */
#define a_late_beat         5   /* a beat is committed after its answer was given up */
#define a_late_takeover     6   /* so is a takeover */
#define a_missed_takeover   7   /* a takeover fails because a beat was on its way */
#define an_event_first      8   /* a beat is answered after the event of n's deletion */
#define a_failed_check      9   /* the first beat after arming finds n gone */
#define a_confirmed        10   /* an heir leads because R was revoked by the heir of another line */
#define an_unrevoked       11   /* an heir finds that R is revoked no more */
#define a_second           12   /* the second in line takes over from a silent heir, and leads */
#define an_alien           13   /* a takeover meets an R made by hand */
#define an_alien_beat      14   /* a beat does */

#define reached(goal) assert(GOAL != goal)

#if DRIFT && BROKEN != no_margin
#define WAIT (D + 1)            /* (17/16) D: while a clock shows WAIT ticks every other shows D at least */
#else
#define WAIT D
#endif
#if BROKEN == longer_lease
#define LEASE (WAIT + 1)
#else
#define LEASE D
#endif

/*
 * Who stands where. Behind the last place of a line nobody listens: its lease is taken to be valid always, which is the worst case.
 */
#if LINES == 2
#define SESSIONS 1              /* that beat: X, which holds places 0 and 1 */
#define PLACES 4                /* 2 is behind 0, 3 is behind 1 */
#define FIRST_HEIR 2
#define session(p) ((p) < 2 -> 0 : (p) - 1)
#define ahead(q, p) ((p) == (q) + 2)
#define clocks 3
#else
#define SESSIONS (CANDIDATES - 1)
#define PLACES CANDIDATES
#define FIRST_HEIR 1
#define session(p) (p)
#define ahead(q, p) ((q) < (p))
#define clocks CANDIDATES
#endif
#define last(p) ((p) >= PLACES - LINES)
#define nobody 9

mtype = { none, live, revoked, gone };            /* R; what an heir has seen of R; the kinds of takeover */
mtype = { alien };                                /* an R made by hand, with whatever version fits */
mtype = { sent, committed, refused, missed, astray };  /* a beat: refused by R's version, or by a check; astray: on an alien R */
mtype = { unarmed, armed, fired, blind };         /* a watch on n; fired: an event is on its way; blind: none will come */
mtype = { waiting, leading, leaving, out };       /* leaving: has led, and may send its departure */

typedef Session {
	mtype r = live;
	bool known = true;      /* the version that the session knows is R's version */
	bool unsure;            /* an answer was lost or was BadVersion: R has to be read */
	mtype beat = none;      /* the one beat that is outstanding */
	bool fresh;             /* its version is R's version still */
	byte lasts;             /* what is left of the D ticks since it began */
	bool late;              /* a beat that was given up may still be committed */
};

typedef Place {
	bool n = true;          /* the znode exists */
	bool announced;         /* it was deleted by an announced departure: settled is above it */
	mtype role = waiting;
	byte lease;             /* ticks for which the place is held */
	mtype watch = (RECONNECTS -> unarmed : armed); /* on n, on this connection */
	bool checked = !RECONNECTS; /* a beat after arming has found n */
	bool checking;          /* the outstanding beat carries a check of n */
	bool before;            /* it was committed while n existed */
	bool late_check;        /* the late beat carries a check of n */
	/* What an heir knows of those ahead. */
	byte front = nobody;    /* the one directly ahead, of whose departure it has not heard */
	bool heard[PLACES];     /* departures that it has heard, or made */
	byte wait;              /* ticks until all of them are announced or (17/16) D old */
	mtype seen = none;      /* R of the one ahead, as last read */
	bool current;           /* and R is so still */
	byte quiet;             /* ticks until (17/16) D after t */
	mtype take = none;      /* the takeover: live sets R, revoked checks it, gone does neither */
	bool matches;           /* the version in it is R's version still */
	mtype late_take = none; /* a takeover that was given up may still be committed */
};

Session S[SESSIONS];
Place P[PLACES];
byte steady;                    /* ticks since a clock missed one */
hidden byte i, j, k;            /* for loops */
#if BROKEN == t_when_sent
byte asked[PLACES];             /* ticks until (17/16) D after the read was sent */
#elif BROKEN == listening_watch
bool unwatched;                 /* the watch on R has been lost */
#endif

#define valid(p) (P[p].role == leading && (last(p) || P[p].lease > 0))
#define standing(p) (P[p].role == waiting || P[p].role == leading)
#if LINES == 2
#define stands(s) (standing(0) || standing(1))
#else
#define stands(s) standing(s)
#endif
#if GOAL
byte way[PLACES];               /* how an heir came to its place */
#define how(p, goal) way[p] = goal
#else
#define how(p, goal) skip
#endif
#define requested(p) (P[p].take == live || P[p].take == revoked || P[p].take == gone)

/* The property: at no instant have two of a line a valid term. */
inline alone(p) {
	for (k : 0 .. PLACES - 1) {
		assert(!((ahead(k, p) || ahead(p, k)) && valid(k) && valid(p)))
	};
	skip
}

/* ------------------------------------------------------------ Heartbeat, Lease rule, Holding rule */

/* Every write to R makes stale what was known of its version. */
inline versionMoves(s) {
	S[s].known = false;
	S[s].fresh = false;
	S[s].late = false;
	for (i : FIRST_HEIR .. PLACES - 1) {
		if
		:: P[i].front != nobody && session(P[i].front) == s ->
			P[i].current = false;
			P[i].matches = false;
			if
			:: P[i].late_take != gone -> P[i].late_take = none
			:: else
			fi
		:: else
		fi
	};
	skip
}

/* A place that is over. What only served to hold it is forgotten, to keep the states few. */
inline retire(p, how) {
	P[p].role = how;
	P[p].lease = 0;
	P[p].watch = unarmed;
	P[p].checked = false;
	P[p].checking = false;
	P[p].before = false;
	P[p].late_check = false;
	P[p].seen = none;
	P[p].current = false;
	P[p].quiet = 0;
	P[p].wait = 0;
	giveUp(p);
	if
	:: last(p) || stands(session(p))
	:: else ->
		S[session(p)].known = false;
		S[session(p)].unsure = false;
		S[session(p)].beat = none;
		S[session(p)].fresh = false;
		S[session(p)].lasts = 0;
		S[session(p)].late = false
	fi
}

/* A takeover that is under way is given up: it may be committed later. */
inline giveUp(p) {
	if
	:: requested(p) && (P[p].matches || P[p].take == gone) -> P[p].late_take = P[p].take
	:: else
	fi;
	P[p].take = none;
	P[p].matches = false
}

inline begin(s) {
	S[s].beat = sent;
	S[s].fresh = S[s].known;
	S[s].lasts = LEASE;
	for (i : 0 .. PLACES - 1) {
		P[i].checking = session(i) == s && standing(i) && P[i].watch != unarmed && !P[i].checked && BROKEN != no_check ||
			session(i) != s && P[i].checking
	};
	skip
}

/* The checks of a beat's multi hold. */
#define holds(s, p, check) (session(p) != s || !P[p].check || P[p].n)
#if LINES == 2
#define allHold(s, check) (holds(s, 0, check) && holds(s, 1, check))
#else
#define allHold(s, check) holds(s, s, check)
#endif

inline commit(s) {
	for (i : 0 .. PLACES - 1) {
		if
		:: session(i) == s && standing(i) -> P[i].before = P[i].n && P[i].watch != fired
		:: else
		fi
	}
	if
	:: S[s].r == alien && allHold(s, checking) -> S[s].beat = astray
	:: S[s].r != alien && (S[s].r != live || !S[s].fresh) -> S[s].beat = refused
	:: else ->
		if
		:: allHold(s, checking) ->
			versionMoves(s);
			S[s].beat = committed;
			S[s].known = true
		:: else -> S[s].beat = missed
		fi
	fi
}

/* The beat has succeeded: the places that it holds are held until D after its beginning. */
inline extend(s, until) {
	for (j : 0 .. PLACES - 1) {
		if
		:: session(j) == s && standing(j) && (P[j].watch != unarmed && (P[j].checked || P[j].checking || BROKEN == no_check) ||
			BROKEN == no_holding) ->
			P[j].checked = true;
			P[j].lease = until;
			alone(j)
		:: else
		fi
	};
	skip
}

inline answer(s) {
	if
	:: S[s].beat == committed ->
		for (j : 0 .. PLACES - 1) {
			if
			:: session(j) == s && standing(j) && P[j].watch == armed && !P[j].before && BROKEN != no_holding ->
				reached(an_event_first);
				retire(j, out)
			:: session(j) == s && standing(j) && P[j].watch == fired && !P[j].before && BROKEN != other_events -> disarm(j)
			:: else
			fi
		}
		if
		:: BROKEN == lease_from_answer -> extend(s, LEASE)
		:: else -> extend(s, S[s].lasts)
		fi
	:: S[s].beat == refused || S[s].beat == astray ->
		if
		:: S[s].beat == astray -> reached(an_alien_beat)
		:: else
		fi;
		S[s].unsure = true;
		if
		:: BROKEN == badversion_success || S[s].beat == astray && BROKEN == beat_any_czxid -> extend(s, S[s].lasts)
		:: else
		fi
	:: S[s].beat == missed ->
		for (j : 0 .. PLACES - 1) {
			if
			:: session(j) == s && P[j].checking && !P[j].before ->
				reached(a_failed_check);
				if
				:: BROKEN == failed_check -> P[j].checked = true
				:: else -> retire(j, out)
				fi
			:: else
			fi
		}
	fi;
	beatIsOver(s)
}

inline beatIsOver(s) {
	S[s].beat = none;
	S[s].fresh = false;
	S[s].lasts = 0;
	for (j : 0 .. PLACES - 1) {
		if
		:: session(j) == s -> P[j].checking = false; P[j].before = false
		:: else
		fi
	};
	skip
}

/* A check that is on its way says nothing of the time until the watch is armed again. */
inline disarm(p) {
	P[p].watch = unarmed;
	P[p].checked = false;
	P[p].checking = P[p].checking && BROKEN == check_before_arming
}

/* The connection is lost: the answer too, and the watches. What was sent may be committed later. */
inline reconnect(s) {
	if
	:: S[s].beat == sent && S[s].fresh ->
		S[s].late = true;
		for (j : 0 .. PLACES - 1) {
			if
			:: session(j) == s -> P[j].late_check = P[j].checking
			:: else
			fi
		}
	:: else
	fi;
	if
	:: S[s].beat != none -> S[s].unsure = true
	:: else
	fi;
	beatIsOver(s);
	for (j : 0 .. PLACES - 1) {
		if
		:: session(j) == s && P[j].watch != unarmed ->
			if
			:: BROKEN == watch_trusted -> P[j].watch = blind
			:: else -> disarm(j)
			fi
		:: else
		fi
	};
	skip
}

/* R is read after a lost answer or BadVersion: revoked or gone: the session is over; else it goes on at that version. */
inline readOwn(s) {
	if
	:: S[s].r == live -> S[s].known = true; S[s].unsure = false
	:: S[s].r == gone && BROKEN == created_twice ->
		versionMoves(s);
		S[s].r = live;
		S[s].known = true;
		S[s].unsure = false
	:: else ->
		for (j : 0 .. PLACES - 1) {
			if
			:: session(j) == s -> retire(j, out)
			:: else
			fi
		}
	fi
}

proctype Beats(byte s) {
	do
	:: d_step { stands(s) && S[s].beat == none && (S[s].known && S[s].r == live || S[s].r == alien || BROKEN == created_twice) && !S[s].unsure -> begin(s) }
	:: d_step { stands(s) && S[s].beat == sent -> commit(s) }
	:: d_step { stands(s) && (S[s].beat == committed || S[s].beat == refused || S[s].beat == missed || S[s].beat == astray) -> answer(s) }
#if RECONNECTS
	:: d_step { stands(s) && (S[s].beat != none || P[s].watch != unarmed || LINES == 2) -> reconnect(s) }
#endif
	:: d_step { stands(s) && S[s].unsure -> readOwn(s) }
	:: d_step { S[s].late && S[s].r == live && allHold(s, late_check) -> reached(a_late_beat); versionMoves(s) }
#if BROKEN == other_writes
	:: d_step { stands(s) && S[s].r != gone && P[s].n -> extend(s, LEASE) }
#elif BROKEN == read_as_beat
	:: d_step { stands(s) && S[s].r == live -> extend(s, LEASE) }
#endif
	od
}

/*
 * n's own watch. Arming shows nothing of what was before it, because a watch that is set again after a reconnect may miss that: the check in the
 * next beat does. On a server that lags the event of an earlier deletion is still to come.
 */
proctype Holds(byte p) {
	do
	:: d_step { standing(p) && P[p].watch == unarmed -> P[p].watch = armed }
	:: d_step { standing(p) && P[p].watch == unarmed && !P[p].n -> P[p].watch = blind }
	:: d_step { standing(p) && P[p].watch == fired && BROKEN != other_events -> disarm(p) }
	:: d_step { standing(p) && P[p].watch == armed && !P[p].n && BROKEN != no_holding -> retire(p, out) }
	od
}

/* ------------------------------------------------------------ Announced departure */

/* Who leads stops first; then one multi sets settled and deletes n, however often it has to be sent. */
proctype Leaves(byte p) {
	do
	:: d_step { P[p].role == leading && BROKEN != taken_back -> retire(p, leaving) }
	:: d_step { P[p].n && (P[p].role == leaving ||
			P[p].role == leading && (BROKEN == announced_first || BROKEN == taken_back || BROKEN == revived && P[p].lease == 0)) ->
		P[p].n = false;
		P[p].announced = true }
	od
}

/* ------------------------------------------------------------ Succession, and taking over from a silent one */

inline findFront(p) {
	P[p].front = nobody;
	for (j : 0 .. PLACES - 1) {
		if
		:: ahead(j, p) && !P[p].heard[j] -> P[p].front = j
		:: else
		fi
	};
	P[p].seen = none;
	P[p].current = false;
	P[p].quiet = 0;
	P[p].take = none;
	P[p].matches = false;
	P[p].late_take = none
}

/* p hears that q is gone and reads E. Its server may lag: then E says nothing, and p waits. */
inline hear(p, q, told) {
	P[p].heard[q] = true;
	if
	:: told || BROKEN == no_wait
	:: else -> P[p].wait = WAIT
	fi;
	if
	:: P[p].front == q -> findFront(p)
	:: else
	fi
}

/* p reads R of the one ahead, and sees what it has not seen: t is now, when the answer arrives. */
inline listen(p, s) {
	if
#if BROKEN == t_when_sent
	:: true -> P[p].quiet = asked[p]; asked[p] = 0
#elif BROKEN == t_of_older
	:: P[p].seen == live && S[s].r == live
#elif BROKEN == listening_watch
	:: P[p].seen == live && S[s].r == live && unwatched
#endif
	:: S[s].r == revoked || S[s].r == gone && BROKEN == gone_as_revoked -> P[p].quiet = 0
	:: else -> P[p].quiet = WAIT
	fi;
	P[p].seen = S[s].r;
	P[p].current = true
}

#define target P[p].front
#define owner S[session(P[p].front)]

inline takeOver(p) {
	P[p].take = P[p].seen;
	P[p].matches = P[p].current
}

/* One multi: check of the own znode, R by its version, deletion of n. */
#define accepted(p, how, matching) ((P[p].n || BROKEN == no_own_check) && P[target].n && (how == gone \
	|| how == live && owner.r == alien \
	|| how == live && (matching || BROKEN == no_version) && owner.r == live \
	|| how == revoked && (matching || BROKEN == revoked_unchecked) && (owner.r == revoked || BROKEN == revoked_unchecked)))

inline carryOut(p, how) {
	P[target].n = false;
	if
	:: how == live -> owner.r = revoked; versionMoves(session(target))
	:: else
	fi
}

inline takeoverCommits(p) {
	if
	:: accepted(p, P[p].take, P[p].matches) ->
		if
		:: P[p].take == live -> how(p, (LINES == 1 && p == 2 -> a_second : a_takeover))
		:: P[p].take == revoked -> how(p, a_confirmed)
		:: P[p].take == gone -> how(p, a_gone_r)
		fi;
		if
		:: P[p].take == live && owner.r == alien && BROKEN != takeover_any_czxid ->
			reached(an_alien);
			carryOut(p, live);
			P[p].take = astray
		:: else ->
			carryOut(p, P[p].take);
			P[p].take = committed
		fi
	:: else ->
		if
		:: P[p].take == live && P[target].n && owner.r == live -> reached(a_missed_takeover)
		:: P[p].take == revoked && P[target].n && owner.r == live -> reached(an_unrevoked)
		:: else
		fi;
		P[p].take = refused
	fi
}

inline takeoverAnswered(p) {
	if
	:: P[p].take == committed || P[p].take == refused && BROKEN == refused_as_success && !P[target].n ->
		hear(p, target, true)
	:: P[p].take == astray -> hear(p, target, false)        /* the set of R shows another czxid: wait */
	:: else -> P[p].take = none; P[p].matches = false; P[p].seen = none; P[p].current = false
	fi
}

/* Its answer is lost: it may be committed later, or was; p will hear that n is gone. */
inline takeoverLost(p) {
	if
	:: BROKEN == lost_as_success -> hear(p, target, true)
	:: else -> giveUp(p)
	fi
}

inline leads(p) {
#if GOAL
	reached(way[p]);
#endif
	P[p].role = leading;
	alone(p)
}

proctype Leads(byte p) {
	do
	:: d_step { P[p].role == waiting && P[p].front == nobody && P[p].wait == 0 && (last(p) || P[p].lease > 0) -> leads(p) }
	od
}

proctype Heir(byte p) {
	do
#if BROKEN == t_when_sent
	:: d_step { P[p].role == waiting && target != nobody -> asked[p] = WAIT }
#elif BROKEN == listening_watch
	:: unwatched = true
#endif
	:: d_step { P[p].role == waiting && target != nobody && !P[p].current && (P[p].seen != none && owner.r != alien || owner.r == live) ->
		listen(p, session(target)) }
	:: d_step { P[p].role == waiting && target != nobody && P[p].seen != none && P[p].quiet == 0 && P[p].take == none -> takeOver(p) }
	:: d_step { P[p].role == waiting && target != nobody && requested(p) -> takeoverCommits(p) }
	:: d_step { P[p].role == waiting && (P[p].take == committed || P[p].take == refused || P[p].take == astray) -> takeoverAnswered(p) }
	:: d_step { P[p].role == waiting && P[p].take != none -> takeoverLost(p) }
	:: d_step { target != nobody && P[p].late_take != none && accepted(p, P[p].late_take, true) ->
		reached(a_late_takeover); carryOut(p, P[p].late_take); P[p].late_take = none }
	od
}

proctype Hears(byte p; byte q) {
	do
	:: d_step { P[p].role == waiting && !P[p].heard[q] && !P[q].n -> how(p, a_wait); hear(p, q, false) }
	:: d_step { P[p].role == waiting && !P[p].heard[q] && !P[q].n && P[q].announced -> how(p, an_announcement); hear(p, q, true) }
	od
}

/* ------------------------------------------------------------ The ensemble, administrators, time */

/* A session expires, or is closed: R and all its znodes go in one transaction. */
inline expire(s) {
	S[s].r = gone;
	versionMoves(s);
	for (j : 0 .. PLACES - 1) {
		if
		:: session(j) == s -> P[j].n = false
		:: else
		fi
	};
	skip
}

proctype Faults(byte s) {
	do
	:: d_step { S[s].r != gone -> expire(s) }
	:: d_step { S[s].r != gone -> S[s].r = gone; versionMoves(s) }          /* R deleted by hand */
	:: d_step { P[s].n -> P[s].n = false }                                  /* n deleted by hand */
#if RECONNECTS
	:: d_step { P[s].n && P[s].watch == armed -> P[s].watch = fired }       /* n's data changed by hand */
#endif
#if LINES == 1
	:: d_step { S[s].r == gone && P[s].n -> S[s].r = alien }                /* R made by hand */
#else
	:: d_step { P[1].n -> P[1].n = false }
	:: d_step { S[s].r == revoked -> S[s].r = live; versionMoves(s) }       /* R written by hand */
#endif
	od
}

#define less(x) x = (x > 0 -> x - 1 : 0)

inline tick(slow) {
	for (i : 0 .. SESSIONS - 1) {
		if
		:: i != slow -> less(S[i].lasts)
		:: else
		fi
	}
	for (i : 0 .. PLACES - 1) {
		if
		:: session(i) != slow ->
			less(P[i].lease);
			less(P[i].wait);
			less(P[i].quiet);
#if BROKEN == t_when_sent
			less(asked[i]);
#endif
			/* A lapsed lease is never revived: the term is over. */
			if
			:: P[i].role == leading && !last(i) && P[i].lease == 0 && BROKEN != revived -> retire(i, leaving)
			:: else
			fi
		:: else
		fi
	}
	steady = (slow != nobody || !DRIFT -> 0 : (steady < D -> steady + 1 : steady))
}

/* All clocks tick together, save that one may miss a tick when none has in the D ticks before. */
proctype Time() {
	do
	:: d_step { tick(nobody) }
#if DRIFT
	:: d_step { steady == D -> tick(0) }
	:: d_step { steady == D -> tick(1) }
#if clocks == 3
	:: d_step { steady == D -> tick(2) }
#endif
#endif
	od
}

init {
	d_step {
		steady = (DRIFT -> D : 0);
		for (i : FIRST_HEIR .. PLACES - 1) {
			findFront(i)
		}
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
		run Time()
	}
}
