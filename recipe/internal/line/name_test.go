package line

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const guid = "0f3b1c9e-7a52-4e1d-9a6b-2c8d4f5e6a7b"

// seq formats a sequence number as the server does.
func seq(n int32) string { return fmt.Sprintf("%010d", n) }

func TestParseKnowsEveryStyleThatStandsInTheLine(t *testing.T) {
	for name, want := range map[string]int32{
		"_c_" + guid + "-latch-0000000007":                             7,
		"_c_" + guid + "-lock-0000000007":                              7,
		"_c_" + strings.ToUpper(guid) + "-latch-0000000001":            1,
		"_c_" + strings.ReplaceAll(guid, "-", "") + "-lock-0000000003": 3,
		"latch-0000000000":                                             0,
		"lock-2147483647":                                              math.MaxInt32,
		strings.ReplaceAll(guid, "-", "") + "__lock__0000000012":       12,
		"_c_" + guid + "-__lock__0000000013":                           13,
		"_c_" + guid + "-__READ__0000000014":                           14,
		"_c_" + guid + "-__WRIT__0000000015":                           15,
		strings.ReplaceAll(guid, "-", "") + "__rlock__0000000016":      16,
		"_c_" + guid + "-__rlock__0000000017":                          17,
		"latch-" + seq(-1):                                             -1,
		"latch-" + seq(-999999999):                                     -999999999,
		"_c_" + guid + "-latch-" + seq(-1000000000):                    -1000000000,
		"latch-" + seq(math.MinInt32):                                  math.MinInt32,
	} {
		n, ok := Parse(name)
		if !ok || n.Seq != want || n.Full != name {
			t.Errorf("Parse(%q) = %+v, %v; want %d", name, n, ok, want)
		}
	}
}

func TestParseLeavesForeignNamesAlone(t *testing.T) {
	for _, name := range []string{
		"", "foo", "_c_x", "_c_", "lock-", "latch-", "n_abc", "n_0000000000", "latch-7", "latch-00000000007",
		"latch--0000000005", "latch-2147483648", "latch--2147483649", "latch-9999999999", // more than 32 bits
		"latch-+000000001", "latch- 000000001", "latch-00000000०१", "latch-000000000١",
		"Latch-0000000001", "xlatch-0000000001", "latch-0000000001x", "latch-0000000001\n", "\nlatch-0000000001",
		"_c_" + guid + "-read-0000000001", "_c_" + guid + "latch-0000000001", "_c_zz-latch-0000000001",
		"-latch-0000000001", "ünïcödé-0000000001", "レイテンシ",
		strings.Repeat("x", 300), strings.Repeat("x", 290) + "0000000001", "_c_" + strings.Repeat("a", 300) + "-latch-0000000001",
		"x__lock__0000000001", "__lock__0000000001", guid + "__lock__0000000001",
	} {
		if n, ok := Parse(name); ok {
			t.Errorf("Parse(%q) = %+v; want it ignored", name, n)
		}
	}
}

func TestNumbersTellTheOrderUntilTheyRunOut(t *testing.T) {
	for _, c := range []struct {
		numbers   []int32
		ambiguous bool
	}{
		{nil, false},
		{[]int32{7}, false},
		{[]int32{0, 1, math.MaxInt32 - 1}, false},
		{[]int32{math.MaxInt32 - 1, math.MaxInt32}, true},
		{[]int32{math.MaxInt32, math.MinInt32}, true},
		{[]int32{-1, 0, 1}, true},
		{[]int32{3, 4, 4, 5}, true},
	} {
		var children []string
		for i, n := range c.numbers {
			children = append(children, fmt.Sprintf("_c_%s-latch-%s", strings.Repeat(fmt.Sprint(i), 32), seq(n)))
		}
		if got := Ambiguous(Sort(children)); got != c.ambiguous {
			t.Errorf("Ambiguous(%d) = %v", c.numbers, got)
		}
	}
}

func TestAgeDecidesWhereItIsKnown(t *testing.T) {
	names := []Name{{Full: "c", Seq: math.MaxInt32, Czxid: 3}, {Full: "b", Seq: math.MinInt32, Czxid: 2}, {Full: "a", Seq: math.MaxInt32, Czxid: 1}}
	slices.SortFunc(names, Compare)
	if names[0].Full != "a" || names[1].Full != "b" || names[2].Full != "c" {
		t.Errorf("order %v", names)
	}
}

func TestStylesAreMixedByTheirNumbersAlone(t *testing.T) {
	children := []string{
		"lock-0000000004", "_c_" + guid + "-latch-0000000002", "foreign",
		strings.ReplaceAll(guid, "-", "") + "__lock__0000000003", "_c_" + guid + "-lock-0000000001", "latch-0000000005",
	}
	var got []int32
	for _, n := range Sort(children) {
		got = append(got, n.Seq)
	}
	if !slices.Equal(got, []int32{1, 2, 3, 4, 5}) {
		t.Errorf("order %v", got)
	}
}

func TestEqualNumbersAreOrderedTheSameByEverybody(t *testing.T) {
	a, b := "lock-0000000001", "latch-0000000001"
	if got, again := Sort([]string{a, b}), Sort([]string{b, a}); got[0] != again[0] || got[0].Full != b {
		t.Errorf("%v and %v", got, again)
	}
}

func TestAhead(t *testing.T) {
	one, two, three := "latch-0000000001", "lock-0000000002", "latch-0000000003"
	for _, c := range []struct {
		me       string
		children []string
		want     []string
		ok       bool
	}{
		{me: two, children: nil},
		{me: two, children: []string{one, three, "foreign"}},
		{me: "foreign", children: []string{one, "foreign"}},
		{me: one, children: []string{three, two, one}, ok: true},
		{me: three, children: []string{three, "foreign", two, one}, want: []string{one, two}, ok: true},
		{me: two, children: []string{two}, ok: true},
	} {
		got, ok := Ahead(c.me, Sort(c.children))
		var names []string
		for _, n := range got {
			names = append(names, n.Full)
		}
		if ok != c.ok || !slices.Equal(names, c.want) {
			t.Errorf("Ahead(%q, %q) = %q, %v; want %q, %v", c.me, c.children, names, ok, c.want, c.ok)
		}
	}
	gone := Name{Full: "me-0000000001", Seq: 1, gone: true}
	if ahead, ok := Ahead(gone.Full, []Name{gone}); ok {
		t.Errorf("one that has gone has %v ahead", ahead)
	}
}

// Who came first is first, with readers and writers on both sides.
func TestTheOrderWhereTheNumbersBeginAgain(t *testing.T) {
	for _, c := range [][2]int32{{-1, 0}, {-5, 3}, {math.MaxInt32 - 3, math.MinInt32}, {0, math.MinInt32}, {7, math.MinInt32 + 2}} {
		for _, shared := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
			first := Name{Full: "a", Seq: c[0], Shared: shared[0], Czxid: 10}
			second := Name{Full: "b", Seq: c[1], Shared: shared[1], Czxid: 11}
			if Compare(first, second) >= 0 || Compare(second, first) <= 0 {
				t.Errorf("%d comes before %d (readers: %v), but they compare as %d and %d", c[0], c[1], shared, Compare(first, second), Compare(second, first))
			}
		}
	}
}

func TestTheOrderDoesNotDependOnTheServers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		children := make([]string, 2+r.IntN(20))
		for i := range children {
			children[i] = "latch-" + seq(int32(r.Uint32()))
		}
		want := Sort(children)
		r.Shuffle(len(children), func(i, j int) { children[i], children[j] = children[j], children[i] })
		if got := Sort(children); !slices.Equal(got, want) {
			t.Fatalf("%v and %v", got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{
		"", "foo", "latch-0000000001", "latch-" + seq(math.MinInt32), "lock-2147483647", "lock-9999999999",
		"_c_" + guid + "-latch-0000000007", "_c_x", strings.ReplaceAll(guid, "-", "") + "__lock__0000000012",
		"_c_" + guid + "-__lock__0000000003", "_c_" + guid + "-__READ__0000000003", "__rlock__0000000003", strings.Repeat("x", 300), "latch-00000000०१",
	} {
		f.Add(name)
	}
	// The same in another language.
	contender := regexp.MustCompile(`^(?:(?:_c_[0-9a-fA-F-]{32,36}-)?(?:latch-|lock-|__READ__|__WRIT__)|(?:_c_[0-9a-fA-F-]{32,36}-|[0-9a-f]{32})__r?lock__)(\d{10}|-\d{9}|-[12]\d{9})$`)
	f.Fuzz(func(t *testing.T, name string) {
		n, ok := Parse(name)
		want := false
		if m := contender.FindStringSubmatch(name); m != nil {
			_, err := strconv.ParseInt(m[1], 10, 32)
			want = err == nil
		}
		if ok != want {
			t.Fatalf("Parse(%q) is ok: %v; want %v", name, ok, want)
		}
		if !ok {
			if n != (Name{}) {
				t.Errorf("%+v comes with a name that does not count", n)
			}
			return
		}
		// A server's number is how a server would write it.
		if n.Full != name || !strings.HasSuffix(name, seq(n.Seq)) && n.Seq != 0 {
			t.Errorf("Parse(%q) = %+v", name, n)
		}
		if ahead, ok := Ahead(name, Sort([]string{name})); !ok || len(ahead) != 0 {
			t.Errorf("%q alone in line: %v ahead, %v", name, ahead, ok)
		}
		if Compare(n, n) != 0 {
			t.Errorf("%q is not in its own place", name)
		}
	})
}

func BenchmarkSort(b *testing.B) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = "_c_" + guid + "-latch-" + seq(int32(i*7919%1000))
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(Sort(names)) != len(names) {
			b.Fatal("names are missing")
		}
	}
}
