/* Heartbeat, Lease rule, Holding rule, Announced departure. Part of takeover.pml. */

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
	i = 0
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

/* The lease counts from here, before anything is sent. The first beat after arming carries a check of n. */
inline begin(s) {
	S[s].beat = sent;
	S[s].fresh = S[s].known;
	S[s].lasts = LEASE;
	for (i : 0 .. PLACES - 1) {
		P[i].checking = session(i) == s && standing(i) && P[i].watch != unarmed && !P[i].checked && BROKEN != no_check ||
			session(i) != s && P[i].checking
	};
	i = 0
}

/* The checks of a beat's multi hold. */
#define holds(s, p, check) (session(p) != s || !P[p].check || P[p].n)
#if LINES == 2
#define allHold(s, check) (holds(s, 0, check) && holds(s, 1, check))
#else
#define allHold(s, check) holds(s, s, check)
#endif

/* At the version that the session knows, or not at all. A failed check fails the beat, and R stays as it is. */
inline commit(s) {
	for (i : 0 .. PLACES - 1) {
		if
		:: session(i) == s && standing(i) -> P[i].before = P[i].n && P[i].watch != fired
		:: else
		fi
	};
	i = 0;
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
	j = 0
}

/* The events of all writes before the beat come before its answer. BadVersion is no verdict. */
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
		};
		j = 0;
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
		};
		j = 0
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
	j = 0
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
		};
		j = 0
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
	j = 0
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
			:: session(j) == s -> retire(j, out)
			:: else
			fi
		};
		j = 0
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
 * n's own watch. Arming shows nothing of what was before it, because a watch that is set again after a
 * reconnect may miss that: the check in the next beat does. On a server that lags the event of an earlier
 * deletion is still to come.
 */
proctype Holds(byte p) {
	do
	:: d_step { standing(p) && P[p].watch == unarmed -> P[p].watch = armed }
	:: d_step { standing(p) && P[p].watch == unarmed && !P[p].n -> P[p].watch = blind }
	:: d_step { standing(p) && P[p].watch == fired && BROKEN != other_events -> disarm(p) }
	:: d_step { standing(p) && P[p].watch == armed && !P[p].n && BROKEN != no_holding -> retire(p, out) }
	od
}

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
