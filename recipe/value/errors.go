package value

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/internal/journal"
	"github.com/zkrecipe/zkrecipe/session"
)

// ErrVersion is the error of every change of a znode whose version is -1: servers take that for any
// version, so a change could overwrite another one unseen. Only about 2^31 changes by others lead
// there. To repair it, set the znode's data once by hand.
var ErrVersion = journal.ErrVersion

// A failure is the error of a change that was not carried out. Its cause may be a request whose
// outcome is unknown, such as a read.
type failure struct{ error }

// Unwrap returns the same error without the outcome.
func (f failure) Unwrap() error { return f.error }

// Outcome is for [session.OutcomeOf].
func (failure) Outcome() session.Outcome { return session.OutcomeNotDone }

// failed returns a failure.
func failed(format string, args ...any) error { return failure{fmt.Errorf("value: "+format, args...)} }

// quote returns the first 40 characters of data, and marks that more are left out.
func quote(data []byte) string {
	const most = 40
	text := fmt.Sprintf("%.*q", most, data)
	if utf8.RuneCount(data) > most {
		text += "..."
	}
	return text
}

// ConflictError is the error of a CompareAndSet that has found another value. Nothing was written.
type ConflictError struct {
	// Path is the znode's.
	Path string
	// Now is what the znode had at an instant during the call.
	Now Versioned
	// Count is the same as a number, of a Counter.
	Count int64

	counter bool
}

// Error says what was found.
func (e *ConflictError) Error() string {
	if !e.Now.Exists() {
		return fmt.Sprintf("value: %s has changed: it does not exist", e.Path)
	}
	if e.counter {
		return fmt.Sprintf("value: %s has changed: it is %d since transaction 0x%x", e.Path, e.Count, e.Now.Zxid)
	}
	return fmt.Sprintf("value: %s has changed: it is %s since transaction 0x%x", e.Path, quote(e.Now.Data), e.Now.Zxid)
}

// Outcome is for [session.OutcomeOf].
func (e *ConflictError) Outcome() session.Outcome { return session.OutcomeNotDone }

// UnknownError is the error of a change that may or may not have been carried out. The session was
// lost with the answer, the caller's context has ended before the answer, or an answer was lost and
// the journal cannot tell. If the change was carried out, it was carried out once, from Before to
// After.
type UnknownError struct {
	// Path is the znode's.
	Path string
	// Before and After are the data before and after the change, if it was carried out.
	Before, After []byte
	// From and To are the same as numbers, of a Counter.
	From, To int64
	// Err is why the answer was lost.
	Err error
}

// Error says why.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("value: %s: it is not known whether %s was followed by %s: %v", e.Path, quote(e.Before), quote(e.After), e.Err)
}

// Unwrap returns the cause.
func (e *UnknownError) Unwrap() error { return e.Err }

// Outcome is for [session.OutcomeOf].
func (e *UnknownError) Outcome() session.Outcome { return session.OutcomeUnknown }

// FormatError is the error of a Counter whose znode holds no number in its encoding. The znode is
// not written.
type FormatError struct {
	// Path is the znode's.
	Path string
	// Data are what it holds.
	Data []byte
	// Encoding is the one that was expected.
	Encoding Encoding
}

// Error says what was found.
func (e *FormatError) Error() string {
	return fmt.Sprintf("value: %s holds %d bytes, %s; want %v", e.Path, len(e.Data), quote(e.Data), e.Encoding)
}

// Outcome is for [session.OutcomeOf].
func (e *FormatError) Outcome() session.Outcome { return session.OutcomeNotDone }

// OverflowError is the error of an addition whose result does not fit the encoding. Nothing was
// written.
type OverflowError struct {
	// Path is the znode's.
	Path string
	// Count is what it holds, and Delta what was to be added.
	Count, Delta int64
	// Encoding is the one whose range is exceeded.
	Encoding Encoding
}

// Error says which addition it was.
func (e *OverflowError) Error() string {
	low, high := e.Encoding.limits()
	return fmt.Sprintf("value: %s: %d%+d is not within %d and %d", e.Path, e.Count, e.Delta, low, high)
}

// Outcome is for [session.OutcomeOf].
func (e *OverflowError) Outcome() session.Outcome { return session.OutcomeNotDone }

// undeleted returns the error of a Close. It wraps the error of the journal's deletion, whose
// outcome may be unknown.
func undeleted(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("value: %s: it is not known whether the journal was deleted: %w", path, err)
}

// explained makes the errors of package journal ours. ctx is the caller's.
func explained(ctx context.Context, path string, err error) error {
	var u *journal.UnknownError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &u):
		return &UnknownError{Path: path, Before: bytes.Clone(u.Before.Data), After: bytes.Clone(u.After.Data), Err: u.Err}
	case ctx.Err() != nil: // what its cause wraps is no answer to this change
	case errors.Is(err, session.ErrTooLarge): // a smaller value is not refused
		return failed("the new value of %s is too large: %w", path, err)
	case session.Permanent(err):
		return &recipe.PermanentError{Path: path, Err: failure{err}}
	}
	return failed("%s: %w", path, err)
}
