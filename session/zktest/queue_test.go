package zktest

import (
	"math/rand/v2"
	"testing"
)

// A queue grows and shrinks at random. Items leave it in the order of their arrival, and it does
// not keep more memory than it once needed.
func TestAQueueKeepsOrderAndUsesItsMemoryAgain(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q queue[int]
	in, out := 0, 0
	for range 100000 {
		if n := q.len(); n != in-out {
			t.Fatalf("length %d, want %d", n, in-out)
		}
		if in == out || in-out < 50 && rng.IntN(2) == 0 {
			q.push(in)
			if q.newest() != in {
				t.Fatalf("the newest is %d, want %d", q.newest(), in)
			}
			in++
			continue
		}
		if x := q.oldest(); x != out {
			t.Fatalf("the oldest is %d, want %d", x, out)
		}
		if x := q.pop(); x != out {
			t.Fatalf("%d leaves, want %d", x, out)
		}
		out++
	}
	if n := cap(q.items); n > 256 {
		t.Errorf("memory for %d items, with 50 at most", n)
	}
}
