package semaphore

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/internal/line"
)

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	for _, r := range []record{
		{size: 1, lease: 4 * time.Second},
		{size: maxSize, lease: 400 * time.Millisecond, Numbers: line.Numbers{}.Add(0, 16)},
		{size: 1, lease: time.Minute, Numbers: spread(maxSize + spare)}, // the size was larger
		{size: 3, lease: time.Minute, Numbers: line.Numbers{}.Add(0, 16).Add(19, 19).Add(22, 30)},
	} {
		got, err := parse([]byte(r.String()))
		if err != nil || got.String() != r.String() || got.size != r.size || got.lease != r.lease {
			t.Errorf("%q is read as %+v, %v", r.String(), got, err)
		}
	}
}

func TestDataOfOthersAreNoRecord(t *testing.T) {
	head := recordHead + "\n"
	for _, data := range []string{
		"", "10", "10.0.0.1", recordHead, "zkrecipe semaphore 2\nsize 1\nlease 4s\n", "zkrecipe line 1\nlease 4s\nsettled 0\n",
		head, head + "size 1\n", head + "lease 4s\n", head + "size 0\nlease 4s\n", head + "size -1\nlease 4s\n", head + "size 10001\nlease 4s\n",
		head + "size x\nlease 4s\n", head + "size 1\nlease -4s\n", head + "size 1\nlease 2562047h47m16.854775807s\n", head + "size 1\nlease 4s\nleft 3-2\n", head + "size 1\nlease 4s\nwhat 1\n",
		record{size: 1, lease: time.Second, Numbers: spread(maxSize + spare + 1)}.String(),
	} {
		if r, err := parse([]byte(data)); err == nil {
			t.Errorf("%q is taken for %+v", data, r)
		}
	}
}

func TestARecordThatIsCutWithinALineIsNoRecord(t *testing.T) {
	var x line.Numbers
	if _, err := x.Read("left", "3 12-14"); err != nil {
		t.Fatal(err)
	}
	whole := record{size: 10, lease: 100 * time.Second, Numbers: x}.String()
	for n := range whole {
		if r, err := parse([]byte(whole[:n])); err == nil && whole[n-1] != '\n' {
			t.Errorf("%q is taken for %+v", whole[:n], r)
		}
	}
}

// spread is so many numbers, none next to another.
func spread(n int) (x line.Numbers) {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " %d", 2*i+1)
	}
	if _, err := x.Read("left", b.String()); err != nil {
		panic(err)
	}
	return x
}

func TestAddBelowAddsAllButSome(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		r := record{size: 1, lease: time.Second}
		over := map[int64]bool{}
		for range rng.IntN(10) {
			n := rng.Int64N(30)
			r, over[n] = r.add(n), true
		}
		own, spared := rng.Int64N(30), map[int64]bool{}
		var except []int64
		for range rng.IntN(5) {
			n := rng.Int64N(40)
			except, spared[n] = append(except, n), true
		}
		if rng.IntN(2) == 0 { // one whose number does not tell
			except = append(except, line.NoNumber)
		}
		r = r.addBelow(own, except)
		for n := range int64(40) {
			if want := over[n] || n < own && !spared[n]; r.Over(n) != want {
				t.Fatalf("seed %d: %v below %d except %v: Over(%d) = %v", seed, r.Numbers, own, except, n, r.Over(n))
			}
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("zkrecipe semaphore 1\nsize 3\nlease 4s\nsettled 3\nleft 5 7-9\n", int64(4))
	f.Add("zkrecipe semaphore 1\nsize 1\nlease 1s\nleft 0\n", int64(1)) // as nobody but a human writes it
	f.Fuzz(func(t *testing.T, data string, n int64) {
		r, err := parse([]byte(data))
		if err != nil || n < 0 || n > 1<<31-1 {
			return
		}
		if again, err := parse([]byte(r.String())); err != nil || again.String() != r.String() {
			t.Errorf("%q is written as %q, which is read as %q, %v", data, r, again, err)
		}
		if after := r.add(n); !after.Over(n) || after.size != r.size {
			t.Errorf("%v without %d, which is over", after, n)
		}
	})
}

func TestATableIsReadAsItWasWritten(t *testing.T) {
	full := table{}
	for i := range maxSlots {
		full[i] = "_c_0f3b1c9e-7a52-8e1d-9a6b-2c8d4f5e6a7b-lease-2147483647"
	}
	for _, x := range []table{nil, {}, {0: "1"}, {3: "20", 17: "_c_x-lease-2147483647", maxSlots - 1: "4"}, full} {
		r := record{size: maxSize, lease: time.Second, slots: x}
		got, err := parse([]byte(r.String()))
		if err != nil || !reflect.DeepEqual(got.slots, x) {
			t.Errorf("%.100q is read as %v, %v", r, got.slots, err)
		}
		if n := len(r.String()); n > 500_000 {
			t.Errorf("a record of %d bytes", n)
		}
	}
	for _, text := range []string{"0", "0:", ":1", "-1:1", "4096:1", "1:1 1:2", "x:1"} {
		if x, err := parseTable(text); err == nil {
			t.Errorf("%q is taken for %v", text, x)
		}
	}
}

func TestTakeTakesOwnSlotsAndFreeOnes(t *testing.T) {
	free := func(name string) bool { return strings.HasPrefix(name, "over") }
	x := table{0: "a", 1: "over-1", 3: "me", 4: "b"}
	for _, c := range []struct {
		want, size int
		slots      []int
		ok         bool
	}{
		{1, 5, []int{3}, true}, {2, 5, []int{1, 3}, true}, {3, 5, []int{1, 2, 3}, true}, {4, 5, []int{1, 2, 3}, false},
		{2, 3, []int{1, 2}, true}, {1, 1, nil, false},
	} {
		after, slots, ok := x.take("me", c.want, c.size, free)
		if ok != c.ok || !reflect.DeepEqual(slots, c.slots) {
			t.Errorf("%d of %d: %v, %v", c.want, c.size, slots, ok)
		}
		for i, name := range x {
			if mine := after[i] == "me"; !mine && after[i] != name {
				t.Errorf("slot %d has gone from %s to %s", i, name, after[i])
			}
		}
	}
	if x[1] != "over-1" {
		t.Error("the table itself was changed")
	}
}

// A table that is full gives no slot, though there are more permits than slots.
func TestWhatATableGivesCanBeRead(t *testing.T) {
	full := table{}
	for i := range maxSlots {
		full[i] = fmt.Sprint(i)
	}
	never := func(string) bool { return false }
	if _, slots, ok := full.take("a", 1, maxSize, never); ok {
		t.Errorf("slots %v of a full table", slots)
	}
	after, slots, ok := full.take("a", 2, maxSize, func(holder string) bool { return holder == "17" || holder == "4095" })
	if !ok || fmt.Sprint(slots) != "[17 4095]" {
		t.Fatalf("slots %v, %v", slots, ok)
	}
	read, err := parseTable(after.String())
	if err != nil || fmt.Sprint(read.byHolder()["a"]) != fmt.Sprint(slots) {
		t.Errorf("slots %v; read: %v, %v", slots, read.byHolder()["a"], err)
	}
}
