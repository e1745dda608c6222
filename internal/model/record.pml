/*
 * The line's record, joiners and succession.
 *
 * Candidates join one after another, each with the next number; one that comes back joins under a new one. The
 * first may still lead, wait or be gone when the last joins. Beats and takeovers are in takeover.pml; here
 * they are what is proved there: while n exists its owner may hold a valid lease, D at most from its last
 * beat; a candidate that takes over from a silent one has seen its lease end.
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
#define waiter_settles      6   /* a candidate that leaves without having led sets settled */
#define guessed_left        7   /* a candidate that leaves adds to left those that it has found gone */
#define leader_guesses      8   /* so does one that has led, of those behind it */
#define leave_taken_back    9   /* a candidate that has sent its leave still stands when the answer is lost */
#define announced_first    10   /* the leader announces its departure before it has stopped */
#define settled_inclusive  11   /* settled is read as "all numbers up to this one" */
#define length_written_back 12  /* an operator lets in longer leases; one that departs writes back the length that it read */
#define waiter_notices     13   /* a candidate that leaves without having led gives notice */
#define notice_of_all      14   /* a notice is heard as "all before me", also of those between */
#define notice_at_once     15   /* a notice counts before the deletion is told, and somebody else gives one */

/* What has to be reached: somebody leads, and of the last that was ahead of it, */
#define an_announcement     1   /* it has heard the departure, and settled says that it is over */
#define a_left              2   /* the same of left */
#define a_wait              3   /* it has heard the departure, and waited */
#define a_doubt             4   /* it was not in the list, and the joiner has waited */
#define a_settled_doubt     5   /* it was not in the list, but settled or left says that it is over */
#define a_takeover          6   /* it was silent, and was taken over from */
#define a_notice            7   /* it was directly ahead, and its notice says that it is over */

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
bool notice[NUMBERS];                   /* given by the owner of this number, for the one that watches it */
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

#include "line.pml"

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
