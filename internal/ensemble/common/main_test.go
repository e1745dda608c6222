package main

import (
	"errors"
	"os/exec"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/ensemble"
	"github.com/zkrecipe/zkrecipe/internal/need"
)

func TestTheCommandIsToldOfTheServers(t *testing.T) {
	t.Setenv("ZK_SERVERS", "")
	t.Setenv(ensemble.CommonServers, "")
	need.That(t, func() error { return ensemble.Has("") })
	if err := run([]string{"sh", "-c", "[ -n \"$" + ensemble.CommonServers + "\" ]"}); err != nil {
		t.Error(err)
	}
}

func TestTheExitCodeIsThatOfTheCommand(t *testing.T) {
	t.Setenv("ZK_SERVERS", "127.0.0.1:1") // nothing is started
	var exit *exec.ExitError
	if err := run([]string{"sh", "-c", "exit 3"}); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("%v; want exit code 3", err)
	}
}
