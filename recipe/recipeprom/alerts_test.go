package recipeprom_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/recipe/recipeprom"
)

// promtool runs Prometheus's own checker, of Debian's package prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path := need.Program(t, "promtool", "prometheus")
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestTheAlertRulesAreValid(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")
}

func TestEachAlertFiresWhenItShouldAndNotOtherwise(t *testing.T) {
	promtool(t, "test", "rules", "testdata/alerts_test.yml")
}

func TestEachAlertHasATest(t *testing.T) {
	tests := read(t, "testdata/alerts_test.yml")
	names := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(read(t, "alerts.yml"), -1)
	if len(names) == 0 {
		t.Error("no alerts found")
	}
	for _, name := range names {
		if !regexp.MustCompile(`alertname: ` + name[1] + `\n +exp_alerts`).MatchString(tests) {
			t.Errorf("no test shows %s firing", name[1])
		}
	}
}

var metric = regexp.MustCompile(`\bzkrecipe_(election|session|lock|semaphore|group|cache|value)_\w+`)

// The documentation and the rules speak of metrics that exist, and of all of them.
func TestTheDocumentationKnowsEachMetric(t *testing.T) {
	descs := make(chan *prometheus.Desc, 200)
	recipeprom.New().Describe(descs)
	recipeprom.ForClient(nil).Describe(descs)
	close(descs)
	exists := map[string]bool{}
	doc := read(t, "doc.go")
	for d := range descs {
		name := metric.FindString(d.String())
		exists[name] = true
		if !strings.Contains(doc, name+" (") && !strings.Contains(doc, name+", ") {
			t.Errorf("doc.go does not explain %s", name)
		}
	}
	for _, file := range []string{"doc.go", "alerts.yml"} {
		for _, name := range metric.FindAllString(strings.ReplaceAll(read(t, file), "job_name:zkrecipe_election_elections", ""), -1) {
			if !exists[strings.TrimSuffix(name, "_bucket")] {
				t.Errorf("%s speaks of %s, which does not exist", file, name)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
