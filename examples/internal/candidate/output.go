package candidate

import "github.com/zkrecipe/zkrecipe/internal/history"

// Line is one line of output, for those who read it.
type Line = history.Line

// Monotonic reads the clock of Line.T, which all processes of a machine share.
func Monotonic() int64 { return history.Now() }
