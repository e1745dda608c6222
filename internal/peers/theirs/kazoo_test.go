package theirs

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/internal/peers"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// kazooFiles are the files of kazoo's tests that need servers. Left out are those about SASL and
// about TLS, for which kazoo makes servers of its own, and the one of its TreeCache, which needs a
// library to look for leaks.
var kazooFiles = []string{"barrier", "client", "connection", "counter", "election", "interrupt", "lease", "lock",
	"partitioner", "party", "queue", "retry", "watchers"}

// notAsKazoo are the tests of kazoo that fail on zktest, and why.
var notAsKazoo = map[string]string{
	"TestClient.test_server_version_retries_eventually_ok": "the version is not asked for here",
	"TestClient.test_server_version_retries_fail":          "the version is not asked for here",
	"TestClient.test_version_no_connection":                "the version is not asked for here",
	"TestSSLClient.test_create":                            "no TLS; kazoo brings certificates with its own servers",
	"TestReconfig.test_add_remove_observer":                "no reconfiguration, as by default",
	"TestReconfig.test_bad_input":                          "no reconfiguration, as by default",
	"TestReconfig.test_no_super_auth":                      "no reconfiguration, as by default",
	"TestReadOnlyMode.test_read_only":                      "no read-only mode, as by default",
}

func TestThoseOfKazoo(t *testing.T) {
	asked(t)
	var path string
	need.That(t, func() (err error) {
		if path, err = peers.KazooPath(t.Context()); err != nil {
			return err
		}
		if out, err := exec.CommandContext(t.Context(), python, "-m", "pytest", "--version").CombinedOutput(); err != nil {
			return fmt.Errorf("no pytest: %w: %s; install Debian's package python3-pytest", err, out)
		}
		return nil
	})
	url := controlled(t)
	compare(t, runKazoo(t, path, url), notAsKazoo, 220)
}

// python is Debian's, for which kazoo is fetched.
const python = "/usr/bin/python3"

// runKazoo runs the tests and returns what failed, by name, with what they said.
func runKazoo(t *testing.T, path, url string) (r report) {
	t.Helper()
	plugin, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	results := filepath.Join(t.TempDir(), "results.xml")
	argv := []string{"-m", "pytest", "-p", "kazoo_plugin", "-p", "no:cacheprovider", "-q", "--junit-xml", results}
	for _, file := range kazooFiles {
		argv = append(argv, filepath.Join(path, "kazoo", "tests", "test_"+file+".py"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, argv...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH="+plugin+":"+path, "CONTROL="+url)
	if !*onReal {
		cmd.Env = append(cmd.Env, "SERVER_VERSION="+string(zktest.Release395))
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err = cmd.Run() // an error, too, if some fail
	if r = readReport(t, results); r.passed == 0 {
		t.Fatalf("pytest: %v\n%s", err, said.Bytes())
	}
	return r
}

// report is what a run of tests has shown.
type report struct {
	passed, skipped int
	failed          map[string]string // what they said, by class and name
}

// readReport reads the format of JUnit.
func readReport(t *testing.T, file string) report {
	t.Helper()
	r := report{failed: map[string]string{}}
	text, err := os.ReadFile(file)
	if err != nil {
		return r // the run was cut short
	}
	type result struct {
		Text string `xml:",chardata"`
	}
	type testcase struct {
		Class   string  `xml:"classname,attr"`
		Name    string  `xml:"name,attr"`
		Failure *result `xml:"failure"`
		Error   *result `xml:"error"`
		Skipped *result `xml:"skipped"`
	}
	var cases []testcase
	for in := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := in.Token()
		if err != nil {
			break
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "testcase" {
			var c testcase
			if err := in.DecodeElement(&c, &start); err != nil {
				t.Fatal(err)
			}
			cases = append(cases, c)
		}
	}
	for _, c := range cases {
		name := c.Class[strings.LastIndex(c.Class, ".")+1:] + "." + strings.TrimSuffix(c.Name, "()")
		switch {
		case c.Failure != nil:
			r.failed[name] = c.Failure.Text
		case c.Error != nil:
			r.failed[name] = c.Error.Text
		case c.Skipped != nil:
			r.skipped++
		default:
			r.passed++
		}
	}
	return r
}
