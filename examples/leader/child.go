package main

import (
	"encoding/json"
	"fmt"

	"github.com/zkrecipe/zkrecipe/examples/internal/candidate"
	"github.com/zkrecipe/zkrecipe/examples/internal/child"
)

// asCandidate is the role of this program's children: see main.
const asCandidate = "candidate"

// process is a candidate in a process of its own.
type process struct {
	id string
	*child.Child
}

// startCandidate runs this very program as a candidate. Each of its lines goes to tell.
func startCandidate(id string, flags []string, tell func(candidate.Line)) (process, error) {
	c, err := child.Start(asCandidate, append(flags, "-id", id), func(text []byte) error {
		var l candidate.Line
		// A process that is killed may leave half a line, but its end is not asked for.
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		tell(l)
		return nil
	})
	return process{id, c}, err
}

// failure says how the process has ended if that was not with exit code 0.
func (p process) failure() error {
	err := p.Err()
	if err != nil {
		err = fmt.Errorf("candidate %s: %w", p.id, err)
	}
	return err
}
