/* Joining, the line's record, succession. Part of record.pml. */

/* The server that answers the list has seen the own create. */
inline create(c) {
	born++;
#if BROKEN == length_written_back
	own[c] = length;
#endif
	C[c].n = true;
	C[c].role = joining;
	for (i : 0 .. NUMBERS - 1) {
		C[c].since[i] = (BROKEN == doubt_from_create -> D : 0);
		if
		:: i < c && C[i].n -> C[c].knows[i] = present
		:: i < c && !C[i].n -> missing(c, i)
		:: else
		fi
	};
	i = 0
}

/*
 * A candidate that is missing in the list may have vanished just before it was answered: the wait counts from the
 * answer. E may have been read before.
 */
inline list(c) {
	C[c].role = waiting;
	for (i : 0 .. NUMBERS - 1) {
		if
		:: C[c].knows[i] == gone ->
			if
			:: BROKEN == no_doubt || BROKEN == trusts_ahead && somebodyAhead(c) -> C[c].knows[i] = over
			:: BROKEN == doubt_from_create
			:: else -> C[c].since[i] = length
			fi
		:: else
		fi
	};
	i = 0;
	how(c, a_doubt)
}

#define settles(q) (settled > q || BROKEN == settled_inclusive && settled == q && settled > 0)

/* c reads E from its own server. A number says nothing of others. */
inline readRecord(c) {
	for (i : 0 .. NUMBERS - 1) {
		if
		:: i < c && C[c].knows[i] != over && (settles(i) || left[i]) ->
			how(c, (way[c] == a_doubt && C[c].knows[i] == gone -> a_settled_doubt : (settles(i) -> an_announcement : a_left)));
			C[c].knows[i] = over;
			C[c].since[i] = 0
		:: else
		fi
	};
	i = 0
}

inline settle(c) {
	assert(settled <= c || BROKEN);         /* whatever E's version: settled never goes back */
	settled = c + 1;
#if BROKEN == length_written_back
	length = own[c];
#endif
	for (i : 0 .. NUMBERS - 1) {
		left[i] = left[i] && i >= settled
	};
	i = 0;
	written()
}

inline written() {
#if BROKEN == changed_then_gone
	for (i : 0 .. NUMBERS - 1) {
		changed[i] = changed[i] || standing(i)
	};
	i = 0;
#endif
	skip
}

/* Announced departure: the leader has stopped; one multi sets settled, whatever E's version, gives notice, and deletes n. */
inline departs(c) {
	C[c].n = false;
	notice[c] = true;
	if
	:: BROKEN == leader_guesses ->
		for (i : 0 .. NUMBERS - 1) {
			left[i] = left[i] || i > c && i < born && !C[i].n
		};
		i = 0
	:: else
	fi;
	settle(c)
}

/* A candidate that has not led adds its own number to left, by version. It has stopped being a candidate. */
inline leaves(c) {
	C[c].n = false;
	notice[c] = BROKEN == waiter_notices;
	left[c] = settled <= c;
	if
	:: BROKEN == guessed_left ->
		for (i : 0 .. NUMBERS - 1) {
			left[i] = left[i] || i >= settled && i < c && !C[i].n
		};
		i = 0
	:: else
	fi;
	if
	:: BROKEN == waiter_settles -> settle(c)
	:: else -> written()
	fi
}

#define accounted(q, c) (q >= c || C[c].knows[q] == over || C[c].knows[q] == gone && C[c].since[q] == 0)
#define nobodyBefore(c) (accounted(0, c) && accounted(1, c) && accounted(2, c))

inline hear(c, q) {
	if
	:: BROKEN == no_wait -> C[c].knows[q] = over
#if BROKEN == changed_then_gone
	:: changed[c] -> C[c].knows[q] = over; changed[c] = false
#endif
	:: else -> missing(c, q)
	fi
}

/* c has had the events of q's notice and of its deletion: all up to q are over. */
inline hearNotice(c, q) {
	for (i : 0 .. NUMBERS - 1) {
		if
		:: i < c && (i <= q || BROKEN == notice_of_all) && C[c].knows[i] != over ->
			C[c].knows[i] = over;
			C[c].since[i] = 0
		:: else
		fi
	};
	i = 0;
	how(c, a_notice)
}

inline leads(c) {
#if GOAL
	reached(way[c]);
#endif
	C[c].role = leading;
	C[c].led = true;
	alone(c)
}

proctype Stands(byte c) {
	do
	:: d_step { C[c].role == unborn && born == c -> create(c) }
	:: d_step { C[c].role == joining -> list(c) }
	:: d_step { (C[c].role == joining || C[c].role == waiting) && c > 0 -> readRecord(c) }
	:: d_step { !last(c) && standing(c) && C[c].n && C[c].lease < LEASE(c) -> C[c].lease = LEASE(c) }         /* a beat */
	:: d_step { C[c].role == waiting && nobodyBefore(c) && (last(c) || C[c].lease > 0) -> leads(c) }
	/* It stops, and sends its leave, which may be committed late, or never. */
	:: d_step { !last(c) && (C[c].role == waiting || C[c].role == leading) && C[c].n &&
			BROKEN != leave_taken_back && BROKEN != announced_first -> retire(c, leaving) }
	:: d_step { !last(c) && C[c].n && C[c].led && (C[c].role == leaving || C[c].role == leading && BROKEN == announced_first) -> departs(c) }
	:: d_step { !last(c) && C[c].n && !C[c].led && (C[c].role == leaving || C[c].role == waiting && BROKEN == leave_taken_back) -> leaves(c) }
#if BROKEN == notice_at_once
	/* A session that may create heartbeats can give the notice of another. */
	:: d_step { !last(c) && C[c].n -> notice[c] = true }
#endif
	/* Its session expires, or its znode is deleted by hand. */
	:: d_step { !last(c) && C[c].n -> C[c].n = false }
	/* It hears of that. */
	:: d_step { standing(c) && !C[c].n -> retire(c, out) }
	od
}

/* What c hears of q, a lower number. */
proctype Hears(byte c; byte q) {
	do
	/* The server that answers the list need not have seen a deletion after the own create. */
	:: d_step { C[c].role == joining && C[c].knows[q] == present && !C[q].n -> missing(c, q) }
	:: d_step { C[c].role == waiting && C[c].knows[q] == present && !C[q].n -> how(c, a_wait); hear(c, q) }
	/* The notice may be missed. Then only the step above remains. */
	:: d_step { C[c].role == waiting && directlyAhead(q, c) && notice[q] && (!C[q].n || BROKEN == notice_at_once) -> hearNotice(c, q) }
	/* Taking over from a silent one: it has been silent for so long that its lease has ended. */
	:: d_step { C[c].role == waiting && C[c].n && directlyAhead(q, c) && C[q].n && C[q].lease == 0 ->
		C[q].n = false; C[c].knows[q] = over; how(c, a_takeover) }
	od
}
