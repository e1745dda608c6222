/* Heartbeat, Lease rule, Holding rule, Announced departure. Part of takeover.pml. */

/* Every write to R makes stale what was known of its version. */
inline versionMoves(s) {
	S[s].known = false;
	S[s].late = 0;
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
	i = 0
}

/* A place that is over. What only served to hold it is forgotten, to keep the states few. */
inline retire(p, how) {
	P[p].role = how;
	P[p].lease = 0;
	P[p].seen = none;
	P[p].current = false;
	P[p].quiet = 0;
	P[p].wait = 0;
	giveUp(p);
	if
	:: P[p].late_take == none -> P[p].front = nobody
	:: else
	fi;
	if
	:: last(p) || stands(session(p))
	:: else ->
		S[session(p)].known = false;
		S[session(p)].unsure = false;
		S[session(p)].late = 0;
		beatIsOver(session(p))
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

/* The lease counts from here, before anything is sent. The multi checks the places that are to be extended. */
inline begin(s, places) {
	S[s].beat = sent;
	S[s].checks = places;
	S[s].lasts = LEASE
}

#if BROKEN == no_check || BROKEN == event_as_check
#define exists(p) true
#elif BROKEN == made_again
#define exists(p) (P[p].n || again[p])
#else
#define exists(p) P[p].n
#endif
#define holds(p, checks) (!(checks & bit(p)) || exists(p))
#if LINES == 2
#define hold(s, checks) (holds(0, checks) && holds(1, checks))
#else
#define hold(s, checks) holds(s, checks)
#endif

/* At the version that the session knows, or not at all. */
inline commit(s) {
#if BROKEN == event_as_check
	/* The events of all writes before a beat come before its answer. */
	S[s].checks = (P[s].n || kept[s] -> bit(s) : 0);
#endif
	if
	:: S[s].r == alien -> S[s].beat = astray
	:: S[s].r == live && S[s].known -> versionMoves(s); S[s].known = true; S[s].beat = committed
	:: else -> S[s].beat = refused
	fi
}

/* A check fails where n has gone, and where the session may not read it any more. R stays as it is. */
inline miss(x, place) {
	S[x].beat = missed;
	S[x].checks = bit(place)
}

/* The places that the beat has checked are held until D after its beginning. */
inline extend(s, until) {
	for (j : 0 .. PLACES - 1) {
		if
		:: session(j) == s && standing(j) && (S[s].checks & bit(j) || BROKEN == other_writes || BROKEN == read_as_beat) ->
			P[j].lease = until;
			alone(j)
		:: else
		fi
	};
	j = 0
}

/* BadVersion is no verdict. A check that failed ends its place, and another beat follows at the same version. */
inline answer(s) {
	if
	:: S[s].beat == committed && BROKEN == lease_from_answer -> extend(s, LEASE)
	:: S[s].beat == committed && BROKEN != lease_from_answer -> extend(s, S[s].lasts)
	:: S[s].beat == astray ->
		reached(an_alien_beat);
		S[s].unsure = true;
		if
		:: BROKEN == beat_any_czxid -> extend(s, S[s].lasts)
		:: else
		fi
	:: S[s].beat == refused ->
		S[s].unsure = true;
		if
		:: BROKEN == badversion_success -> extend(s, S[s].lasts)
		:: else
		fi
	:: S[s].beat == missed && BROKEN == failed_check -> extend(s, S[s].lasts)
	:: S[s].beat == missed && BROKEN != failed_check ->
		for (j : 0 .. PLACES - 1) {
			if
			:: session(j) == s && standing(j) && S[s].checks & bit(j) ->
				assert(GOAL != a_failed_check || P[j].n);
				retire(j, out)
			:: else
			fi
		};
		j = 0
	fi;
	beatIsOver(s)
}

inline beatIsOver(s) {
	S[s].beat = none;
	S[s].checks = 0;
	S[s].lasts = 0;
	S[s].known = S[s].known && !S[s].unsure
}

/* The answer is lost, with its connection perhaps. A beat that was sent may be committed later. */
inline lose(s) {
	if
	:: S[s].beat == sent && S[s].known -> S[s].late = S[s].checks
	:: else
	fi;
	S[s].unsure = true;
	beatIsOver(s)
}

/*
 * R is read after a lost answer or BadVersion: revoked or gone: the session is over; else it goes on at
 * that version.
 */
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
			:: session(j) == s && standing(j) -> retire(j, out)
			:: else
			fi
		};
		j = 0
	fi
}

#define beats(s) (stands(s) && S[s].beat == none && !S[s].unsure && \
	(S[s].known && S[s].r == live || S[s].r == alien || BROKEN == created_twice))
#define answered(s) (S[s].beat == committed || S[s].beat == refused || S[s].beat == missed || S[s].beat == astray)

proctype Beats(byte s) {
	do
#if LINES == 2
	/* One request may have no room for the checks of all places. */
	:: d_step { beats(s) && standing(0) -> begin(s, 1) }
	:: d_step { beats(s) && standing(1) -> begin(s, 2) }
	:: d_step { beats(s) && standing(0) && standing(1) -> begin(s, 3) }
	:: d_step { S[s].beat == sent && S[s].checks & bit(1) -> miss(s, 1) }
#else
	:: d_step { beats(s) -> begin(s, bit(s)) }
#endif
	:: d_step { S[s].beat == sent && S[s].checks & bit(s) -> miss(s, s) }
	:: d_step { S[s].beat == sent && hold(s, S[s].checks) -> commit(s) }
	:: d_step { answered(s) -> answer(s) }
	:: d_step { S[s].beat != none -> lose(s) }
	:: d_step { S[s].unsure -> readOwn(s) }
	:: d_step { S[s].late && S[s].r == live && hold(s, S[s].late) -> reached(a_late_beat); versionMoves(s) }
#if BROKEN == other_writes
	:: d_step { stands(s) && S[s].r != gone && P[s].n -> extend(s, LEASE) }
#elif BROKEN == read_as_beat
	:: d_step { stands(s) && S[s].r == live -> extend(s, LEASE) }
#endif
	od
}

/* n's own watch tells of a deletion, sooner or later or never. No rule depends on it. */
proctype Holds(byte p) {
	do
	:: d_step { standing(p) && !P[p].n -> retire(p, out) }
	od
}

/* The leader stops first; then one multi sets settled and deletes n, however often it has to be sent. */
proctype Leaves(byte p) {
	do
	:: d_step { P[p].role == leading && BROKEN != taken_back -> retire(p, leaving) }
	:: d_step { P[p].n && (P[p].role == leaving ||
			P[p].role == leading && (BROKEN == announced_first || BROKEN == taken_back || BROKEN == revived && P[p].lease == 0)) ->
		P[p].n = false;
		P[p].announced = true }
	od
}
