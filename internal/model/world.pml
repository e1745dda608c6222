/* The ensemble and administrators, and time. Part of takeover.pml. */

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
	j = 0
}

proctype Faults(byte s) {
	do
	:: d_step { S[s].r != gone -> expire(s) }
	:: d_step { S[s].r != gone -> S[s].r = gone; versionMoves(s) }          /* R deleted by hand */
	:: d_step { P[s].n -> P[s].n = false }                                  /* n deleted by hand */
#if BROKEN == event_as_check
	:: d_step { P[s].n && !kept[s] -> kept[s] = true }                        /* READ on n taken away */
#elif BROKEN == made_again
	:: d_step { !P[s].n -> again[s] = true }
#endif
#if LINES == 1 && CANDIDATES == 2
	:: d_step { S[s].r == gone && P[s].n -> S[s].r = alien }                /* R made by hand */
#elif LINES == 2
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
	};
	i = 0;
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
	};
	i = 0;
	steady = (slow != nobody || !DRIFT -> 0 : (steady < D -> steady + 1 : steady))
}

/* All clocks tick together, but one may miss a tick if none has missed one in the D ticks before. */
proctype Time() {
	do
	:: d_step { true -> tick(nobody) }
#if DRIFT
	:: d_step { steady == D -> tick(0) }
	:: d_step { steady == D -> tick(1) }
#if clocks == 3
	:: d_step { steady == D -> tick(2) }
#endif
#endif
	od
}
