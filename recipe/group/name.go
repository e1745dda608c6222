package group

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"strings"
)

// Style is how a member's znode is named. Members of all styles may be in one group; the style
// matters to members and observers of other libraries.
type Style string

const (
	// StyleNamed names the znode by the ID, and it holds the data: the layout of GroupMember and
	// PersistentNode of Apache Curator. Of each ID there is one member at a time.
	StyleNamed Style = "named"
	// StyleParty gives the znode a random name, and it holds the ID: the layout of Party of
	// Python's kazoo. Several members may have one ID.
	StyleParty Style = "party"
	// StyleShallow puts the ID behind a random part of the znode's name: the layout of kazoo's
	// ShallowParty. Several members may have one ID.
	StyleShallow Style = "shallow"
)

const partySuffix = "__party__"

var (
	partyName = regexp.MustCompile(`^[0-9a-f]{32}` + partySuffix + `$`)
	// kazoo takes what follows the first dash for the ID.
	shallowName = regexp.MustCompile(`^[0-9a-f]{32}-`)
	// Curator's PersistentNode puts this before the name if it is asked to protect it.
	protectedName = regexp.MustCompile(`^_c_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-`)
)

// name returns the name of a new member's znode.
func (s Style) name(id string) string {
	if s == StyleNamed {
		return id
	}
	var b [16]byte
	rand.Read(b[:]) // never fails
	if s == StyleParty {
		return hex.EncodeToString(b[:]) + partySuffix
	}
	return hex.EncodeToString(b[:]) + "-" + id
}

// encode returns what the znode of a member holds.
func (s Style) encode(id string, data []byte) []byte {
	if s == StyleParty {
		return []byte(id)
	}
	return data
}

// styleOf tells the style of a znode's name.
func styleOf(name string) Style {
	switch {
	case partyName.MatchString(name):
		return StyleParty
	case shallowName.MatchString(name):
		return StyleShallow
	}
	return StyleNamed
}

// decode returns the ID and the data of a member by the name and the data of its znode.
func decode(name string, data []byte) (id string, payload []byte) {
	switch styleOf(name) {
	case StyleParty:
		return string(data), nil
	case StyleShallow:
		_, id, _ = strings.Cut(name, "-")
		if string(data) == id { // as kazoo has it
			data = nil
		}
		return id, data
	}
	return name[len(protectedName.FindString(name)):], data
}
