package example

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// Program is an example program.
type Program struct {
	Flags   *flag.FlagSet  // a program may define more of them before Main
	Path    string         // -path
	Session session.Config // -timeout, -lease and who the program is to the servers; a program may add to it
	Connect string         // -zk, or, while Run runs, where the servers in this process are

	Servers  string           // which servers they are, in a few words
	Embedded *zktest.Ensemble // for faults; nil if -zk names an ensemble

	auth, sasl string
}

// New returns a program with the flags that all examples have.
func New(name, path string, timeout, lease time.Duration) *Program {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	p := &Program{Flags: f}
	f.StringVar(&p.Connect, "zk", "", "the ensemble, as `host:port,.../chroot` (default three servers in this process)")
	f.StringVar(&p.Path, "path", path, "the `znode` of the example, created when missing")
	f.DurationVar(&p.Session.Timeout, "timeout", timeout, "session timeout to ask for")
	f.DurationVar(&p.Session.Lease, "lease", lease, "how long a lease lasts: about the time until a crashed process is replaced\n(0: 4s, or half of a shorter -timeout)")
	// Not by flag.Func, which tells a value that is wrong: it may hold a password.
	f.StringVar(&p.auth, "auth", "", "`digest:user:password`; znodes are then for that user alone")
	f.StringVar(&p.sasl, "sasl", "", "`digest:user:password` of the servers' JAAS configuration; znodes are then for that user alone")
	f.StringVar(&p.Session.TLSFiles.Authorities, "ca", "", "speak TLS with servers whose certificates come from the authorities in this PEM `file`")
	f.StringVar(&p.Session.TLSFiles.Certificate, "cert", "", "the own certificate for TLS, a PEM `file`; with -key")
	f.StringVar(&p.Session.TLSFiles.Key, "key", "", "the key of -cert, a PEM `file`")
	return p
}

// mistake is an error in the flags.
type mistake struct{ error }

// Mistake marks an error as one in the flags, for which the exit code is 2.
func Mistake(err error) error {
	if err == nil {
		return nil
	}
	return mistake{err}
}

// Parse reads the flags. What is wrong with times and files, Client says. A lease that was not asked for is at most half
// of the session timeout.
func (p *Program) Parse(args []string) error {
	p.Flags.SetOutput(io.Discard) // an error is told once, by Do
	err := p.Flags.Parse(args)
	if err == flag.ErrHelp {
		return err
	}
	asked := false
	p.Flags.Visit(func(f *flag.Flag) { asked = asked || f.Name == "lease" })
	if !asked {
		p.Session.Lease = min(p.Session.Lease, p.Session.Timeout/2)
	}
	return Mistake(cmp.Or(err,
		credential("auth", p.auth, func(user, password string) {
			p.Session.Auth = []session.Auth{session.Digest(user, password)}
		}),
		credential("sasl", p.sasl, func(user, password string) { p.Session.SASL = session.SASLDigest(user, password) })))
}

// credential calls use with the user and the password of a flag, if it is set. The error has no password.
func credential(name, value string, use func(user, password string)) error {
	if value == "" {
		return nil
	}
	scheme, rest, _ := strings.Cut(value, ":")
	user, password, _ := strings.Cut(rest, ":")
	if scheme != "digest" || user == "" || password == "" {
		return fmt.Errorf("-%s has scheme %q and user %q; want digest:user:password", name, scheme, user)
	}
	use(user, password)
	return nil
}

// Args are the flags for a child process, as they are now. The child parses them with a Program that has the same.
func (p *Program) Args() (args []string) {
	p.Flags.VisitAll(func(f *flag.Flag) { args = append(args, "-"+f.Name+"="+f.Value.String()) })
	return args
}

// ID returns what a flag -id says, or the host's name and the process id where that is "".
func ID(value string) string {
	host, _ := os.Hostname() // without it the process id has to do
	return cmp.Or(value, fmt.Sprintf("%s-%d", host, os.Getpid()))
}
