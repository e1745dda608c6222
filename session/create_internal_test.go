package session

import (
	"context"
	"strings"
	"testing"
)

func TestTheErrorOfACreateTellsEachCauseOnce(t *testing.T) {
	p := &protected{places: []Place{{Dir: "/e"}}}
	p.lost(&Error{Op: "create", Path: "/e/n", Err: ErrRevoked})
	for _, cause := range []error{ErrRevoked, context.Canceled} {
		text := p.fail(cause).Error()
		for _, want := range []error{ErrRevoked, cause} {
			if n := strings.Count(text, want.Error()); n != 1 {
				t.Errorf("%v: %q tells %d times: %v", cause, text, n, want)
			}
		}
	}
}
