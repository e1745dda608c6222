package barrier

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const uuid = "01234567-89ab-4def-8123-456789abcdef"

func TestWhoCountsAsAMember(t *testing.T) {
	for name, want := range map[string]bool{
		"_c_" + uuid + "-member-0000000001":  true,
		"_c_" + uuid + "-member--2147483648": true, // the number has wrapped
		uuid:                                 true, // Curator
		strings.Repeat("a", 32):              true, // kazoo
		"ready":                              false,
		"config":                             false,
		"_c_" + uuid + "-lock-0000000001":    false,
		uuid + "x":                           false,
	} {
		if isMember(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestWhatOneWhoWantsToEnterDoes(t *testing.T) {
	of := func(names ...string) *round { return &round{names: names} }
	for i, c := range []struct {
		members []string
		ready   *round
		want    action
	}{
		{[]string{"me"}, nil, actWait},
		{[]string{"me", "a"}, nil, actWait},
		{[]string{"me", "a", "b"}, nil, actCount},
		{[]string{"me", "a", "b", "c"}, nil, actCount},
		{[]string{"me", "a", "b"}, of("a", "b", "me"), actIn},
		{[]string{"me"}, of("a", "b", "me"), actIn}, // the others have left already
		{[]string{"me", "a"}, of("a", "me"), actDisagree},
		{[]string{"me", "a", "b", "c"}, of("a", "b", "c", "me"), actDisagree},
		{[]string{"me", "a", "b"}, of("a", "b", "c"), actFull},
		{[]string{"me", "c"}, of("a", "b", "c"), actFull},
		{[]string{"me"}, of("a", "b", "c"), actWait}, // over: all were killed
		{[]string{"me", "x", "y"}, of("a", "b", "c"), actCount},
		{[]string{"me"}, &round{foreign: true}, actIn},
	} {
		if got := decide("me", c.members, c.ready, 3); got != c.want {
			t.Errorf("%d: %v, want %v", i, got, c.want)
		}
	}
}

func TestTheRoundIsReadAsItWasWritten(t *testing.T) {
	r := round{names: []string{"a", "b"}}
	if got := parseRound(r.encode()); got.foreign || !slices.Equal(got.names, r.names) {
		t.Errorf("%+v", got)
	}
	for _, data := range []string{"", "10.0.0.1", "zkrecipe barrier 2\na\n"} {
		if !parseRound([]byte(data)).foreign {
			t.Errorf("%q is taken for ours", data)
		}
	}
}

func TestTheChosenAreNAndOneIsOwn(t *testing.T) {
	for n := 1; n <= 4; n++ {
		if got := fmt.Sprint(choose("c", []string{"d", "c", "b", "a"}, n)); got != []string{"[c]", "[a c]", "[a b c]", "[a b c d]"}[n-1] {
			t.Errorf("%d: %s", n, got)
		}
	}
	if following("b", []string{"c", "a"}) != "c" || following("c", []string{"b", "a"}) != "a" {
		t.Error("not in a circle")
	}
}
