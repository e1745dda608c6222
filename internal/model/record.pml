/*
 * The line's record, joiners and succession.
 *
 * Candidates join one after another, each with the next number; who comes back joins under a new one. The
 * first may still lead, wait or be gone when the last joins. Beats and takeovers are in takeover.pml; here
 * they are what is proved there: while n exists its owner may hold a valid lease, D at most from its last
 * beat; who takes over from a silent one has seen its lease end.
 *
 * What a candidate knows only grows: a number that it has read as settled or left is over for ever. So the
 * model keeps no copies of E that lag: a read that shows less than E holds is the same as none.
 *
 * At any instant: a session expires, n is deleted by hand, a leave is committed late or never, its answer
 * is lost, a process is paused, a server lags.
 *
 * Searched for: a state in which two candidates have a valid term.
 */

#ifndef NUMBERS
#define NUMBERS 4
#endif
#ifndef D
#define D 2                     /* the lease, in ticks; no clock drifts here, so the heir waits as long */
#endif
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef GOAL
#define GOAL 0
#endif

/* The broken variants. */
#define no_wait             1   /* after an unannounced departure the heir leads at once */
#define changed_then_gone   2   /* "E changed, then n deleted" is heard as an announcement; E is not read */
#define no_doubt            3   /* a joiner does not wait for those who were gone when it joined */
#define trusts_ahead        4   /* a joiner leaves that wait to those ahead of it */
#define doubt_from_create   5   /* the joiner's wait counts from its own create, not from its list */
#define waiter_settles      6   /* who leaves without having led sets settled */
#define guessed_left        7   /* who leaves adds to left whom it has found gone */
#define leader_guesses      8   /* so does who has led, of those behind it */
#define leave_taken_back    9   /* who has sent its leave stands on when the answer is lost */
#define announced_first    10   /* who leads announces its departure before it has stopped */
#define settled_inclusive  11   /* settled is read as "all numbers up to this one" */
#define length_written_back 12  /* an operator lets in longer leases; who departs writes back the length that it read */

/* What has to be reached: somebody leads, and of the last that was ahead of it, */
#define an_announcement     1   /* it has heard the departure, and settled says that it is over */
#define a_left              2   /* the same of left */
#define a_wait              3   /* it has heard the departure, and waited */
#define a_doubt             4   /* it was not in the list, and the joiner has waited */
#define a_settled_doubt     5   /* it was not in the list, but settled or left says that it is over */
#define a_takeover          6   /* it was silent, and was taken over from */

#define reached(goal) assert(GOAL != goal)
#if GOAL
#define how(c, goal) way[c] = goal
#else
#define how(c, goal) skip
#endif

mtype = { unborn, joining, waiting, leading, leaving, out };
mtype = { present, gone, over };

typedef Candidate {
	mtype role = unborn;
	bool n;                         /* the znode exists */
	bool led;
	byte lease;                     /* ticks until it ends, if no beat follows */
	mtype knows[NUMBERS] = over;    /* of each lower number: present, gone but not accounted for, over */
	byte since[NUMBERS];            /* gone: ticks until that is D old */
};

Candidate C[NUMBERS];
byte born;                              /* the next number */
byte settled;                           /* E: all numbers below are over */
bool left[NUMBERS];                     /* E: so are these */
byte i, j;                              /* for loops, which leave them at 0, so that they make no states */
#if BROKEN == changed_then_gone
bool changed[NUMBERS];                  /* E has changed while the candidate stood */
#endif
#if GOAL
byte way[NUMBERS];
#endif
#if BROKEN == length_written_back
byte length = D - 1;                    /* E: the longest lease allowed */
byte own[NUMBERS];                      /* that of each candidate, as E was when it joined */
#define LEASE(c) own[c]
#else
#define length D
#define LEASE(c) D
#endif

#define standing(c) (C[c].role == joining || C[c].role == waiting || C[c].role == leading)
#define last(c) ((c) == NUMBERS - 1)    /* nobody is behind it: it stays, with a lease that never ends, the worst case */
#define valid(c) (C[c].role == leading && (last(c) || C[c].lease > 0))

#define ahead(q, c) (q < c && C[c].knows[q] == present)
#define directlyAhead(q, c) (ahead(q, c) && !(q < 1 && ahead(1, c)) && !(q < 2 && ahead(2, c)))
#define somebodyAhead(c) (ahead(0, c) || ahead(1, c) || ahead(2, c))

/* The property: at no instant have two a valid term. */
inline alone(c) {
	for (j : 0 .. NUMBERS - 1) {
		assert(!(j != c && valid(j) && valid(c)))
	};
	j = 0
}

/* What only served to stand is forgotten, to keep the states few. */
inline retire(c, how) {
	C[c].role = how;
	C[c].lease = 0;
	for (i : 0 .. NUMBERS - 1) {
		C[c].knows[i] = over;
		C[c].since[i] = 0
	};
	i = 0
}

inline missing(c, q) {
	C[c].knows[q] = gone;
	if
	:: BROKEN == doubt_from_create && C[c].role == joining
	:: else -> C[c].since[q] = length
	fi
}

/* ------------------------------------------------------------ Joining */

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
 * Who is missing in the list may have vanished just before it was answered: the wait counts from the
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

/* ------------------------------------------------------------ The line's record */

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

/* Announced departure: who leads has stopped; one multi sets settled, whatever E's version, and deletes n. */
inline departs(c) {
	C[c].n = false;
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

/* Who has not led adds its own number to left, by version. It has stopped being a candidate. */
inline leaves(c) {
	C[c].n = false;
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

/* ------------------------------------------------------------ Succession */

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
	/* Taking over from a silent one: it has been silent for so long that its lease has ended. */
	:: d_step { C[c].role == waiting && C[c].n && directlyAhead(q, c) && C[q].n && C[q].lease == 0 ->
		C[q].n = false; C[c].knows[q] = over; how(c, a_takeover) }
	od
}

#define less(x) x = (x > 0 -> x - 1 : 0)

proctype Time() {
	do
	:: d_step {
		true ->
		for (i : 0 .. NUMBERS - 1) {
			less(C[i].lease);
			for (j : 0 .. NUMBERS - 1) {
				less(C[i].since[j])
			};
			j = 0
		};
		i = 0;
		for (j : 0 .. NUMBERS - 1) {
			if
			:: C[j].role == leading && !last(j) && C[j].lease == 0 -> retire(j, leaving)
			:: else
			fi
		};
		j = 0 }
	od
}

/* Bounded as it is, left may lose an entry whenever somebody writes E; here at any time. */
proctype Forgets(byte q) {
	do
	:: d_step { left[q] -> left[q] = false }
	od
}

#if BROKEN == length_written_back
active proctype Operator() {
	length = D
}
#endif

init {
	atomic {
		i = 0;
		do
		:: i < NUMBERS ->
			run Stands(i);
			run Forgets(i);
			j = 0;
			do
			:: j < i -> run Hears(i, j); j++
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
