package value_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
)

// Data without a Zxid are no value that was read, and do not say that there is no znode.
func TestAValueThatNobodyHasReadIsRefused(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		v := s.value("a", value.Config{})
		_, err := v.CompareAndSet(within(t), value.Versioned{Data: []byte("one")}, []byte("two"))
		if conflict(err) != nil || session.OutcomeOf(err) != session.OutcomeNotDone {
			t.Errorf("%v (%v); want a refusal", err, session.OutcomeOf(err))
		}
		shared.Says(t, err, path, "Zxid")
		if s.data() != "missing" {
			t.Errorf("written: %q", s.data())
		}
		_, err = v.CompareAndSet(within(t), value.Versioned{Data: []byte{}}, []byte("two")) // as good as the zero one
		must(t, err)
	})
}

func TestErrorsMarkWhereTheyCutData(t *testing.T) {
	long, rest := []byte(strings.Repeat("x", 39)+"é"), []byte("yz")
	for _, of := range []func(data []byte) error{
		func(data []byte) error {
			return &value.ConflictError{Path: path, Now: value.Versioned{Data: data, Zxid: 1}}
		},
		func(data []byte) error {
			return &value.UnknownError{Path: path, Before: data, Err: session.ErrExpired}
		},
		func(data []byte) error {
			return &value.UnknownError{Path: path, After: data, Err: session.ErrExpired}
		},
		func(data []byte) error { return &value.FormatError{Path: path, Data: data} },
	} {
		whole, cut := of(long).Error(), of(append(long[:len(long):len(long)], rest...)).Error()
		if quoted := fmt.Sprintf("%q", long); !strings.Contains(whole, quoted) || strings.Contains(whole, "...") || !strings.Contains(cut, quoted+"...") {
			t.Errorf("of 40 characters %s; of more %s", whole, cut)
		}
	}
}

// An error of a change tells by session.OutcomeOf whether the change was carried out.
func TestErrorsTellTheOutcome(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		v, n := s.value("a", value.Config{}), s.counter("b", value.CounterConfig{})
		small := s.counter("c", value.CounterConfig{Encoding: value.EncodingInt32})
		over, cancel := cancelled(t)
		cancel()
		refuse := func(what string, err error) {
			t.Helper()
			if err == nil || session.OutcomeOf(err) != session.OutcomeNotDone {
				t.Errorf("%s: %v is %v", what, err, session.OutcomeOf(err))
			}
		}
		_, err := n.Add(within(t), 5)
		must(t, err)
		_, err = v.CompareAndSet(within(t), value.Versioned{}, nil)
		refuse("a conflict", err)
		refuse("a conflict of a counter", n.CompareAndSet(within(t), 7, 8))
		refuse("a number out of range", small.CompareAndSet(within(t), 5, math.MaxInt64))
		_, err = n.Reserve(within(t), 0)
		refuse("an empty reservation", err)
		_, err = n.Add(within(t), math.MaxInt64)
		refuse("an overflow", err)
		_, err = v.Update(within(t), nil)
		refuse("no function", err)
		_, err = n.Add(over, 1)
		refuse("a context that is over", err)
		_, err = v.Update(within(t), func([]byte) ([]byte, error) { return make([]byte, 2<<20), nil })
		refuse("too much data", err)
		s.put("text")
		_, err = n.Add(within(t), 1)
		refuse("no number", err)
	})
}

// What may have been carried out is unknown, also if its cause was not.
func TestTheOutcomeOfAnUnknownErrorIsUnknown(t *testing.T) {
	for _, cause := range []error{
		context.Canceled, zk.ErrNoAuth, &session.Error{Op: "multi", Outcome: session.OutcomeNotDone, Err: zk.ErrNoAuth},
	} {
		err := fmt.Errorf("more: %w", &value.UnknownError{Path: path, Err: cause})
		if got := session.OutcomeOf(err); got != session.OutcomeUnknown || !errors.Is(err, cause) {
			t.Errorf("%v: %v", err, got)
		}
	}
}
