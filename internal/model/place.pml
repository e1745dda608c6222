/* The places, what each candidate knows, and the property. Part of takeover.pml. */

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
 * The places. Behind the last place of a line nobody listens: its lease is taken to be valid always,
 * which is the worst case.
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
#define bit(p) (1 << (p))
#define nobody 9

mtype = { none, live, revoked, gone };            /* R; what an heir has seen of R; the kinds of takeover */
mtype = { alien };                                /* an R made by hand, with whatever version fits */
mtype = { sent, committed, refused, missed, astray };  /* a beat: refused by R's version, missed by a check, on an alien R */
mtype = { waiting, leading, leaving, out };       /* leaving: has led, and may send its departure */

typedef Session {
	mtype r = live;
	bool known = true;      /* the version that the session knows, and its beat carries, is R's version */
	bool unsure;            /* an answer was lost or was BadVersion: R has to be read */
	mtype beat = none;      /* the one beat that is outstanding */
	byte lasts;             /* what is left of the D ticks since it began */
	byte checks;            /* the places that it checks, as bits; missed: the one whose check has failed */
	byte late;              /* a beat that was given up may still be committed: its checks; 0: there is none */
};

typedef Place {
	bool n = true;          /* the znode exists */
	bool announced;         /* it was deleted by an announced departure: settled is above it */
	mtype role = waiting;
	byte lease;             /* ticks for which the place is held */
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
byte i, j, k;                   /* for loops, which leave them at 0, so that they make no states */
#if BROKEN == t_when_sent
byte asked[PLACES];             /* ticks until (17/16) D after the read was sent */
#elif BROKEN == listening_watch
bool unwatched;                 /* the watch on R has been lost */
#elif BROKEN == event_as_check
bool kept[PLACES];              /* READ on n was taken away: the server keeps the event of its deletion back */
#elif BROKEN == made_again
bool again[PLACES];             /* another znode has n's name */
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
	k = 0
}
