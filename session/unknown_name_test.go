package session_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/session"
)

// A resolver refuses this name without asking anybody.
func TestAnUnknownNameIsInTheLog(t *testing.T) {
	log := newLogbook(t)
	open(t, "no..such.host:2181", session.Config{Logger: slog.New(log)})
	line := log.await(0, "no server can be used")
	if !strings.Contains(line.text, "no..such.host:2181 (resolve: ") {
		t.Errorf("the line is %q", line.text)
	}
}
