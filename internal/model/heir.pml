/* Succession, and taking over from a silent one. Part of takeover.pml. */

inline findFront(p) {
	P[p].front = nobody;
	for (j : 0 .. PLACES - 1) {
		if
		:: ahead(j, p) && !P[p].heard[j] -> P[p].front = j
		:: else
		fi
	};
	j = 0;
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

/*
 * p reads R of the one ahead, and sees what it has not seen: t is now, when the answer arrives. An R that
 * never was seen, or whose owner is not n's (alien), says nothing: p waits for n to go.
 */
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

/* Nothing newer has been seen until t + (17/16) D; or R was revoked, and the session that did that has waited. */
inline takeOver(p) {
	P[p].take = P[p].seen;
	P[p].matches = P[p].current
}

/* One multi: check of the own znode, R by its version, deletion of n. */
#define accepted(p, how, matching) (P[p].n && P[target].n && (how == gone \
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
		:: P[p].take == live -> how(p, (LINES == 1 && target == 1 -> a_second : a_takeover))
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
	:: else -> P[p].take = none; P[p].matches = false; P[p].current = false
	fi
}

/* Its answer is lost: it may be committed later, or was; p will hear that n is gone. */
inline takeoverLost(p) {
	if
	:: BROKEN == lost_as_success -> hear(p, target, true)
	:: else -> giveUp(p)
	fi
}

/* The first in line, with a valid lease of its own. */
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
	/* Where n has gone a takeover fails: what is read then need not be followed. */
	:: d_step { P[p].role == waiting && target != nobody && P[target].n && !P[p].current &&
			owner.r != alien && (P[p].seen != none || owner.r != gone) -> listen(p, session(target)) }
	:: d_step { P[p].role == waiting && target != nobody && P[target].n && P[p].seen != none && P[p].quiet == 0 && P[p].take == none -> takeOver(p) }
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
