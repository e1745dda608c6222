package line

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	for _, r := range []record{
		{lease: 4 * time.Second},
		{400 * time.Millisecond, Numbers{settled: 17}},
		{time.Minute, Numbers{"5-1a", 17, []span{{19, 19}, {22, 30}}}},
	} {
		got, ok := parseRecord([]byte(r.String()))
		if !ok || !reflect.DeepEqual(got, r) {
			t.Errorf("%q is read as %+v, %v", r.String(), got, ok)
		}
	}
}

func TestDataOfOthersAreNoRecord(t *testing.T) {
	head := recordHead + "\n"
	for _, data := range []string{
		"", "x", "zkrecipe line 1", "zkrecipe line 2\nlease 4s\n", head, head + "lease 4\n", head + "lease -4s\nsettled 0\n", head + "lease 0s\n", head + "lease 2562047h47m16.854775807s\n",
		head + "lease 4s\nsettled -1\n", head + "lease 4s\nsettled 2147483648\n", head + "lease 4s\nsettled x\n", head + "lease 4s\nwhat 1\n",
		head + "lease 4s\nleft 3-2\n", head + "lease 4s\nleft 3 3\n", head + "lease 4s\nleft 5 3\n", head + "lease 4s\nleft 1-\n", "\n" + head + "lease 4s\n",
	} {
		if r, ok := parseRecord([]byte(data)); ok {
			t.Errorf("%q is taken for %+v", data, r)
		}
	}
}

// model is a record as a plain set of numbers.
type model map[int64]bool

func TestARecordIsASetOfNumbersThatAreOver(t *testing.T) {
	const most = 60
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		r, m := record{lease: time.Second}, model{}
		for range 40 {
			n := rng.Int64N(most)
			if rng.IntN(5) == 0 {
				r = r.settle(n)
				for i := range n + 1 {
					m[i] = true
				}
			} else {
				r = r.leave(n)
				m[n] = true
			}
			for i := range int64(most) {
				if r.Over(i) != m[i] {
					t.Fatalf("seed %d: %v: over(%d) = %v", seed, r, i, r.Over(i))
				}
			}
			if again, ok := parseRecord([]byte(r.String())); !ok || again.String() != r.String() {
				t.Fatalf("seed %d: %q is read as %q", seed, r, again)
			}
			checkComplete(t, rng, r, m, most)
		}
	}
}

func checkComplete(t *testing.T, rng *rand.Rand, r record, m model, most int64) {
	t.Helper()
	own := rng.Int64N(most)
	var listed []Name
	want := true
	for i := range most {
		there := rng.IntN(3) > 0
		if there {
			listed = append(listed, Name{Seq: int32(i)})
		}
		if i < own && !there && !m[i] {
			want = false
		}
	}
	listed = append(listed, listed...) // numbers that stand there twice count once
	if got := r.complete(own, listed); got != want {
		t.Fatalf("%v with %v listed: complete(%d) = %v", r, listed, own, got)
	}
}

func TestARecordIsBounded(t *testing.T) {
	r := record{lease: time.Second}
	for n := range int64(10 * maxSpans) {
		r = r.leave(2 * n)
	}
	if len(r.left) != maxSpans || !r.Over(20*maxSpans-2) || r.Over(0) {
		t.Errorf("%d spans: %v", len(r.left), r)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(record{time.Second, Numbers{"", 3, []span{{5, 5}, {7, 9}}}}.String(), int64(6))
	f.Add("zkrecipe line 1\nlease 4s\nsettled 0\nleft 2147483647\n", int64(2147483646))
	f.Fuzz(func(t *testing.T, data string, n int64) {
		r, ok := parseRecord([]byte(data))
		if !ok || n < 0 || n >= noNumber {
			return
		}
		if again, ok := parseRecord([]byte(r.String())); !ok || again.String() != r.String() {
			t.Errorf("%q is written as %q, which is read as %q", data, r, again)
		}
		if n > 1<<31-1 {
			return
		}
		if left := r.leave(n); !left.Over(n) && len(left.left) < maxSpans {
			t.Errorf("%v without %d, which has left", left, n)
		}
		if s := r.settle(n); !s.Over(n) || s.settled < r.settled {
			t.Errorf("%v settles %d of %v", s, n, r)
		}
	})
}
