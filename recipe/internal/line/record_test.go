package line

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
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

func TestARecordThatIsCutWithinALineIsNoRecord(t *testing.T) {
	lease := 100 * time.Second // "1m40s", and "1m" is a lease, too
	whole := record{lease, Numbers{"5-1a", 17, []span{{19, 19}, {22, 30}}}}.String()
	for n := range whole {
		r, ok := parseRecord([]byte(whole[:n]))
		if ok && whole[n-1] != '\n' || r.lease != 0 && r.lease != lease {
			t.Errorf("%q is taken for %+v, %v", whole[:n], r, ok)
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

// Without a bound, a record that somebody has written by hand keeps a place that joins busy for
// hours.
func TestARecordThatLeapsOverBillionsIsReadAtOnce(t *testing.T) {
	const own = 2_000_000_000
	r := record{lease: time.Second}
	r.left = append(r.left, span{1, own - 1000})
	for n := int64(own - 998); len(r.left) < maxSpans; n += 2 {
		r.left = append(r.left, span{n, n})
	}
	r, ok := parseRecord([]byte(r.String()))
	if !ok {
		t.Fatal("it is not read")
	}
	var listed []Name
	for n := r.left[len(r.left)-1].last + 1; n < own; n++ {
		listed = append(listed, Name{Seq: int32(n)})
	}
	var missing []int64
	done := make(chan bool)
	go func() {
		missing, ok = r.missing(own, listed)
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(await.Bound):
		t.Fatal("it is looked at number by number")
	}
	if !ok || len(missing) != maxSpans || missing[0] != 0 || missing[1] != own-999 {
		t.Errorf("%d are missing: %v", len(missing), missing)
	}
	r.left = append(r.left, span{own, own})
	if _, ok := parseRecord([]byte(r.String())); ok {
		t.Errorf("a record with %d spans is read", len(r.left))
	}
}

// What is missing is what a plain search finds.
func TestMissingAreThoseThatAreNeitherListedNorOver(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		const most = 60
		r := record{lease: time.Second}.settle(rng.Int64N(20) - 1)
		for range rng.IntN(10) {
			r = r.leave(rng.Int64N(most))
		}
		var listed []Name
		there := map[int64]bool{}
		for range rng.IntN(most) {
			n := rng.Int64N(most)
			listed, there[n] = append(listed, Name{Seq: int32(n)}), true
		}
		own := rng.Int64N(most)
		var want []int64
		for n := range own {
			if !there[n] && !r.Over(n) {
				want = append(want, n)
			}
		}
		if got, ok := r.missing(own, listed); !ok || !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v: below %d with %v: %v, want %v", seed, r, own, listed, got, want)
		}
	}
}

func TestAReaderSaysNothingOfThoseBehindIt(t *testing.T) {
	r := record{time.Second, Numbers{settled: 1}}.settleBut(3, []int64{2, 5})
	for n, want := range []bool{true, true, false, true, false, false, false} {
		if r.Over(int64(n)) != want {
			t.Errorf("%d is over: %v; want %v (%+v)", n, !want, want, r)
		}
	}
}
