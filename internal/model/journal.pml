/*
 * A change that counts once: the journal.
 *
 * Clients add to one counter C. An attempt is one multi: write the client's journal J at the version j that it
 * knows, with the number of the attempt as data; then set C at version v to x. All attempts of one operation are
 * made at the same j, so one of them is carried out at most, and J tells which. J is made before the first attempt.
 * A void writes J alone, at j. If an answer was lost, and a later attempt is refused, a void follows before the
 * operation counts as not done. Where J is durable, the next session goes on with the same attempt.
 *
 * At any instant:
 *
 *   - an attempt, or a void, is carried out at once, late, or never, and copies of it are carried out, too. Any
 *     answer may be lost. What is late may come behind later requests of the same session
 *   - an attempt is refused for another reason than a version, or given up without an answer
 *   - a session expires, and its journal goes; or its client takes it for lost while it lives, and its requests
 *     may still be carried out
 *   - a client reads what its server had some time ago (known)
 *   - a client does nothing, ever
 *
 * Versions of C never come back: a znode that was deleted and made again is in RECREATE alone, within one session,
 * and a wrap of 2^30 changes while one request is on its way is in none.
 *
 * Searched for: an operation that counts twice; one that was called done, or not done, and is not; a result that
 * is not what was written; an outcome that is unknown though the session lives.
 */

#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef OPERATIONS
#define OPERATIONS 2            /* of each client */
#endif
#ifndef DURABLE
#define DURABLE 0               /* the journal outlives its session */
#endif
#ifndef RECREATE
#define RECREATE 0              /* C is deleted by hand and made again, once */
#endif
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef GOAL
#define GOAL 0
#endif

/* The broken variants. */
#define no_journal           1   /* C alone is set, at its version; BadVersion means that another was faster */
#define counter_first        2   /* the multi sets C before J, and BadVersion of C still means that nothing was done */
#define any_version          3   /* J is written at whatever version it has */
#define again_in_next        4   /* an attempt whose session is over is begun afresh in the next session */
#define conflict_in_next     5   /* so it is when the next session finds C changed */
#define equal_is_done        6   /* the next session finds C as the attempt would have left it: done */
#define journal_gone         7   /* the next session finds no journal of the last one: nothing was done */
#define seen_unchanged       8   /* the next session reads C as it was, and says that nothing was done, without a write */
#define caller_left          9   /* a caller that does not wait for the answer is told that nothing was done */
#define refused_is_done     10   /* J at another version means that the latest attempt was done, without reading J */
#define newer_in_next       11   /* the next session repeats the attempt at the version that C has now */
#define refused_in_next     12   /* the next session's attempt is refused for another reason: nothing was done */
#define no_void             13   /* with a durable journal the next session's attempt is refused: not done, without a void */
#define refused_unvoided    14   /* an attempt is refused for another reason after an answer was lost: not done, without a void */
#define changed_unvoided    15   /* C has changed after an answer was lost: not done, without a void */
#define given_up_as_it_was  16   /* nothing is answered, and a quorum tells that J is at j: not done, without a void */

/* What has to be reached. */
#define a_late_copy          1   /* an attempt is carried out without an answer */
#define a_journal_entry      2   /* J tells that an attempt was done */
#define a_conflict           3   /* somebody else was faster */
#define a_repeat_in_next     4   /* an attempt whose session is over is done in the next one, at the same version */
#define an_exclusion         5   /* the next session finds that it was not done: another has written that version */
#define an_unknown           6   /* nobody can tell */
#define a_living_dead        7   /* a session that its client has taken for lost carries out an attempt */
#define a_durable_entry      8   /* in the next session J tells that an attempt of the last one was done */
#define an_earlier_attempt   9   /* J tells of an earlier attempt than the latest */
#define a_refusal           10   /* an attempt is refused for another reason, and is not done */
#define a_refusal_in_next   11   /* so is one in the next session, and nobody can tell */
#define a_void              12   /* a void makes the attempts of the last session impossible */
#define a_late_void         13   /* J tells that a void was carried out */
#define a_void_at_once      14   /* a void makes the attempts of the same session impossible */
#define a_refused_done      15   /* J tells that an attempt was done after a later one was refused */
#define a_giving_up         16   /* an attempt is given up */

#define reached(goal) assert(GOAL != goal)

#define SESSIONS (2 - RECREATE)
#define VERSIONS (CLIENTS * OPERATIONS + 1)
#define VOID 3                          /* the number in J after a void; those of attempts are 1 and 2 */
#define delta(c) (C[c].op + 1)          /* equal ones and others */

mtype = { idle, sent, refused, changed };
mtype = { pending, done, undone, unknown };

typedef Attempt {
	bool alone;                     /* a void has followed */
	bool fits;                      /* j is the version of J */
	byte op; byte n; byte v; byte x /* n is 0 where there is none */
};
typedef Journal { bool exists = true; byte n };
typedef Session { bool alive = true; Journal J; Attempt A[2] };  /* the latest attempt, and the one before */
typedef Client {
	Session S[SESSIONS];
	byte s;                         /* the session that the client uses */
	mtype phase = idle;
	byte op;                        /* the operation under way; OPERATIONS: no more */
	bool knows = true;              /* the version of its journal */
	bool orphan;                    /* the attempt was first made in a session that is over */
	byte landed[OPERATIONS];        /* how often it was carried out, and what was written */
	byte wrote[OPERATIONS];
	mtype verdict[OPERATIONS] = pending;
};

Client C[CLIENTS];
byte version;
byte value[VERSIONS];                   /* of each version of the counter */
byte i, j, p, q;                        /* for loops, which leave them at 0, so that they make no states */
mtype answer;                           /* of the multi in this step */
mtype = { ok, bad_journal, bad_counter };

#define AT(c, s) C[c].S[s]
#define NOW(c) C[c].S[C[c].s].A[0]
#define BEFORE(c) C[c].S[C[c].s].A[1]
#define ATTEMPT(c, s, k) C[c].S[s].A[k]
#define JOURNAL(s) (DURABLE -> 0 : s)
#define BOOK(c, s) C[c].S[JOURNAL(s)].J
#define over(c) (C[c].op == OPERATIONS)

#define journalMatches(c, s, k) (BROKEN == no_journal || BROKEN == any_version || \
	BOOK(c, s).exists && ATTEMPT(c, s, k).fits)
#define alive(c, s, k) (ATTEMPT(c, s, k).n && journalMatches(c, s, k) && \
	(ATTEMPT(c, s, k).alone || RECREATE || ATTEMPT(c, s, k).v == version))

inline forget(c, in, k) {
	ATTEMPT(c, in, k).alone = false;
	ATTEMPT(c, in, k).op = 0;
	ATTEMPT(c, in, k).fits = false;
	ATTEMPT(c, in, k).n = 0;
	ATTEMPT(c, in, k).v = 0;
	ATTEMPT(c, in, k).x = 0
}

/* What can never be carried out is forgotten. That saves states. */
inline prune() {
	for (p : 0 .. CLIENTS - 1) {
		for (q : 0 .. SESSIONS - 1) {
			if
			:: !alive(p, q, 1) -> forget(p, q, 1)
			:: else
			fi;
			if
			:: !alive(p, q, 0) && (q < C[p].s || C[p].phase == idle) -> forget(p, q, 0)
			:: else
			fi
		};
		q = 0
	};
	p = 0
}

/* J is written. Its former version never comes back. */
inline enter(c, in, number) {
	BOOK(c, in).n = number;
	for (q : 0 .. SESSIONS - 1) {
		if
		:: DURABLE || q == in -> ATTEMPT(c, q, 0).fits = false; ATTEMPT(c, q, 1).fits = false
		:: else
		fi
	};
	q = 0;
	if
	:: DURABLE || in == C[c].s -> C[c].knows = false
	:: else
	fi
}

/* The multi is carried out, or not. What the answer says, if it arrives, is in answer. */
inline evaluate(c, in, k, isVoid) {
	if
	:: BROKEN == counter_first && version != ATTEMPT(c, in, k).v -> answer = bad_counter
	:: BROKEN == counter_first && version == ATTEMPT(c, in, k).v && !journalMatches(c, in, k) -> answer = bad_journal
	:: BROKEN != counter_first && !journalMatches(c, in, k) -> answer = bad_journal
	:: BROKEN != counter_first && journalMatches(c, in, k) && isVoid ->
		answer = ok;
		enter(c, in, VOID);
		prune()
	:: BROKEN != counter_first && journalMatches(c, in, k) && !isVoid && version != ATTEMPT(c, in, k).v -> answer = bad_counter
	:: else ->
		answer = ok;
		version++;
		value[version] = ATTEMPT(c, in, k).x;
		enter(c, in, ATTEMPT(c, in, k).n);
		C[c].landed[ATTEMPT(c, in, k).op]++;
		C[c].wrote[ATTEMPT(c, in, k).op] = ATTEMPT(c, in, k).x;
		assert(C[c].landed[ATTEMPT(c, in, k).op] == 1);
		assert(C[c].verdict[ATTEMPT(c, in, k).op] != undone);
		assert(C[c].verdict[ATTEMPT(c, in, k).op] != done);
		prune()
	fi
}

/* Another number than that of an attempt whose outcome was unknown, and which may be in J without the client's knowledge. */
#define another(c) (alive(c, C[c].s, 1) && BEFORE(c).n == 1 || !C[c].knows && BOOK(c, C[c].s).n == 1 -> 2 : 1)

inline make(c, at, to, number) {
	NOW(c).alone = false;
	NOW(c).fits = C[c].knows;
	NOW(c).op = C[c].op;
	NOW(c).n = number;
	NOW(c).v = at;
	NOW(c).x = to;
	C[c].phase = sent
}

inline keep(c) {
	if
	:: alive(c, C[c].s, 0) -> assert(BROKEN || !alive(c, C[c].s, 1)); copy(c)
	:: else
	fi
}

inline copy(c) {
	BEFORE(c).alone = NOW(c).alone;
	BEFORE(c).op = NOW(c).op;
	BEFORE(c).fits = NOW(c).fits;
	BEFORE(c).n = NOW(c).n;
	BEFORE(c).v = NOW(c).v;
	BEFORE(c).x = NOW(c).x
}

/* Nothing is under way. */
inline settled(c) {
	C[c].phase = idle;
	C[c].orphan = false;
	if
	:: !alive(c, C[c].s, 0) -> forget(c, C[c].s, 0)
	:: else
	fi
}

inline say(c, what) {
	C[c].verdict[C[c].op] = what;
	if
	:: what == done -> assert(C[c].landed[C[c].op] == 1); assert(C[c].wrote[C[c].op] == NOW(c).x)
	:: what == undone -> assert(C[c].landed[C[c].op] == 0)
	:: what == unknown -> assert(!DURABLE && C[c].s > 0); reached(an_unknown)
	fi;
	C[c].op++;
	settled(c)
}

/* J stands at the version that follows: one of the attempts was done. */
inline entered(c) { C[c].knows = true }

/* j is over, and nothing was done. */
inline voided(c) {
	if
	:: C[c].orphan -> reached(a_void)
	:: else -> reached(a_void_at_once)
	fi;
	entered(c);
	settled(c)
}

/* The attempt was not carried out. A copy may still be, until a void is. */
inline failed(c, broken) {
	if
	:: BROKEN != broken && !(BROKEN == no_void && C[c].orphan) -> NOW(c).alone = true; C[c].phase = sent
	:: else -> settled(c)
	fi
}

/* An attempt is refused for another reason than a version. */
inline refuse(c) {
	if
	:: C[c].orphan && !DURABLE && BROKEN != refused_in_next -> reached(a_refusal_in_next); say(c, unknown)
	:: else -> reached(a_refusal); failed(c, refused_unvoided)
	fi
}

inline hear(c) {
	if
	:: answer == ok && NOW(c).alone -> voided(c)
	:: answer == ok && !NOW(c).alone ->
		if
		:: C[c].orphan && !DURABLE -> reached(a_repeat_in_next)
		:: else
		fi;
		entered(c);
		say(c, done)
	:: answer == bad_journal && BROKEN == refused_is_done -> entered(c); say(c, done)
	:: answer == bad_journal && BROKEN != refused_is_done -> C[c].phase = refused
	/* J was at j: nothing was done so far. */
	:: answer == bad_counter && (!C[c].orphan || DURABLE || BROKEN == conflict_in_next) ->
		reached(a_conflict);
		failed(c, changed_unvoided)
	/* J is the next session's: it tells nothing of the attempt in the last one. */
	:: answer == bad_counter && C[c].orphan && !DURABLE && BROKEN != conflict_in_next -> C[c].phase = changed
	fi;
	answer = 0
}

inline readJournal(c) {
	if
	:: BOOK(c, C[c].s).n == NOW(c).n ->
		reached(a_journal_entry);
		if
		:: C[c].orphan -> reached(a_durable_entry)
		:: NOW(c).alone && !C[c].orphan -> reached(a_refused_done)
		:: else
		fi;
		entered(c);
		say(c, done)
	:: NOW(c).alone && BOOK(c, C[c].s).n == VOID -> reached(a_late_void); voided(c)
	/* It was one whose outcome was unknown. */
	:: else -> reached(an_earlier_attempt); entered(c); settled(c)
	fi
}

/* C as the client's server shows it, and it is not at the attempt's version any more. */
inline readChanged(c, at) {
	if
	:: BROKEN == equal_is_done && value[at] == NOW(c).x -> say(c, done)
	:: BROKEN == newer_in_next -> settled(c)
	:: BROKEN != equal_is_done && BROKEN != newer_in_next && at == NOW(c).v + 1 && value[at] != NOW(c).x ->
		reached(an_exclusion);
		failed(c, changed_unvoided)
	:: else -> say(c, unknown)
	fi
}

/*
 * The client uses the next session. If it does not know the fate of its attempt, it makes the attempt again, at the
 * same version. Where J is durable, that is the very same attempt, or its void.
 */
inline next(c) {
	i = NOW(c).v;
	j = NOW(c).x;
	C[c].s++;
	if
	:: !DURABLE -> C[c].knows = true
	:: else
	fi;
	if
	:: C[c].phase == idle
	:: C[c].phase != idle && (BROKEN == again_in_next || BROKEN == journal_gone && !AT(c, C[c].s - 1).J.exists) -> C[c].phase = idle
	:: C[c].phase != idle && BROKEN == seen_unchanged && version == i -> C[c].phase = idle; say(c, undone)
	:: else ->
		C[c].orphan = true;
		make(c, i, j, AT(c, C[c].s - 1).A[0].n);
		NOW(c).alone = DURABLE && AT(c, C[c].s - 1).A[0].alone
	fi;
	i = 0;
	j = 0
}

proctype Works(byte c) {
end:	do
	:: d_step { C[c].phase == sent && AT(c, C[c].s).alive -> evaluate(c, C[c].s, 0, NOW(c).alone); hear(c) }
	:: d_step { C[c].phase == sent && AT(c, C[c].s).alive && !NOW(c).alone && (!C[c].orphan || DURABLE) ->
		reached(a_giving_up);
		if
		:: BROKEN == given_up_as_it_was && !journalMatches(c, C[c].s, 0)
		:: else -> failed(c, given_up_as_it_was)
		fi }
	:: d_step { C[c].phase == sent && AT(c, C[c].s).alive && !NOW(c).alone && journalMatches(c, C[c].s, 0) -> refuse(c) }
	:: d_step { C[c].phase == refused && AT(c, C[c].s).alive && BOOK(c, C[c].s).exists -> readJournal(c) }
	:: d_step { C[c].s + 1 < SESSIONS && (!over(c) || C[c].phase != idle) -> next(c) }
	/* The caller wants no more: nothing of the operation is under way. */
	:: d_step { !over(c) && (C[c].phase == idle || BROKEN == caller_left && C[c].phase == sent) -> say(c, undone) }
	od
}

/* What its server shows of C may be old. */
proctype Reads(byte c; byte at) {
end:	do
	:: d_step { at <= version && C[c].phase == idle && !over(c) -> keep(c); make(c, at, value[at] + delta(c), another(c)) }
	:: d_step { at <= version && C[c].phase == changed && AT(c, C[c].s).alive && at > NOW(c).v -> readChanged(c, at) }
	od
}

proctype Late(byte c; byte s) {
end:	do
	:: d_step { AT(c, s).alive && alive(c, s, 0) ->
		evaluate(c, s, 0, false);
		if
		:: answer == ok ->
			reached(a_late_copy);
			if
			:: s < C[c].s -> reached(a_living_dead)
			:: else
			fi
		:: else
		fi;
		answer = 0 }
	:: d_step { AT(c, s).alive && alive(c, s, 0) && ATTEMPT(c, s, 0).alone -> evaluate(c, s, 0, true); answer = 0 }
	:: d_step { AT(c, s).alive && alive(c, s, 1) -> evaluate(c, s, 1, false); answer = 0 }
	:: d_step { AT(c, s).alive && alive(c, s, 1) && ATTEMPT(c, s, 1).alone -> evaluate(c, s, 1, true); answer = 0 }
	/* It expires. No request of it is carried out any more. */
	:: d_step { AT(c, s).alive && (s < C[c].s || s == C[c].s && C[c].s + 1 < SESSIONS) ->
		AT(c, s).alive = false;
		if
		:: s < C[c].s -> forget(c, s, 0)
		:: else
		fi;
		forget(c, s, 1);
		if
		:: !DURABLE -> AT(c, s).J.exists = false; AT(c, s).J.n = 0
		:: else
		fi }
	od
}

#if RECREATE
active proctype Admin() {
end:	d_step { version > 0 ->
		for (i : 1 .. VERSIONS - 1) { value[i] = 0 };
		i = 0;
		version = 0 }
}
#endif

init {
	atomic {
		i = 0;
		do
		:: i < CLIENTS ->
			run Works(i);
			j = 0;
			do
			:: j < SESSIONS -> run Late(i, j); j++
			:: else -> break
			od;
			j = 0;
			do
			:: j < VERSIONS -> run Reads(i, j); j++
			:: else -> break
			od;
			i++
		:: else -> break
		od;
		i = 0;
		j = 0
	}
}
