package classify_test

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/backscatter-milter/backscatter-milter/classify"
)

// TestCorpus compares the package with a folder of real messages, which the
// repository does not carry: `make corpus CORPUS=DIR`. It has labels.tsv, a line
// a message with the columns path, class, note and orig_message_id, and the
// messages in its folder dev or in itself.
func TestCorpus(t *testing.T) {
	folder := os.Getenv("CLASSIFY_CORPUS")
	if folder == "" {
		t.Skip("no CLASSIFY_CORPUS")
	}
	labels := readLabels(t, filepath.Join(folder, "labels.tsv"))
	if info, err := os.Stat(filepath.Join(folder, "dev")); err == nil && info.IsDir() {
		folder = filepath.Join(folder, "dev")
	}
	table := map[string]map[string]int{}
	var misses []string
	ids, idsFound := 0, 0
	for _, l := range labels {
		r := classifyFile(t, filepath.Join(folder, l["path"]))
		got := string(r.Class)
		if r.Action != "" {
			got += "-" + string(r.Action)
		}
		if table[l["class"]] == nil {
			table[l["class"]] = map[string]int{}
		}
		table[l["class"]][got]++
		if !asLabelled(l["class"], r) {
			misses = append(misses, fmt.Sprintf("%s\t%s\t%s\t%s\t%q", l["class"], got, l["path"], l["note"], r.Evidence))
		}
		if id := l["orig_message_id"]; id != "" && l["class"] != "ham" && l["class"] != "spam" && l["class"] != "report" {
			ids++
			if r.Original.MessageID == id {
				idsFound++
			} else {
				misses = append(misses, fmt.Sprintf("message-id\t%s (%s)\t%s\twant %s", r.Original.MessageID, r.Original.Where, l["path"], id))
			}
		}
	}
	printTable(os.Stdout, table, misses)
	fmt.Printf("message-ids: %d of %d\n", idsFound, ids)
}

func readLabels(t *testing.T, name string) []map[string]string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	head, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	var labels []map[string]string
	for {
		row, err := r.Read()
		if err == io.EOF {
			return labels
		}
		if err != nil {
			t.Fatal(err)
		}
		l := map[string]string{}
		for i, column := range head {
			if i < len(row) {
				l[column] = row[i]
			}
		}
		labels = append(labels, l)
	}
}

func classifyFile(t *testing.T, name string) classify.Result {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := classify.Classify(f, classify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// asLabelled reports whether a result is right for a label of the corpus.
func asLabelled(label string, r classify.Result) bool {
	switch label {
	case "dsn-failure":
		return (r.Class == classify.DSN || r.Class == classify.Bounce) && r.Action == classify.Failed
	case "dsn-delay":
		return (r.Class == classify.DSN || r.Class == classify.Bounce) && r.Action == classify.Delayed
	case "dsn-success":
		return r.Class == classify.DSN && (r.Action == classify.Delivered || r.Action == classify.Relayed || r.Action == classify.Expanded)
	case "bounce-nonstandard":
		return r.Class == classify.Bounce || r.Class == classify.DSN
	case "ham", "spam":
		return !r.Class.IsNotification()
	}
	return map[string]classify.Class{
		"autoreply": classify.AutoReply, "challenge": classify.Challenge, "mdn": classify.Receipt,
		"report": classify.Report, "calendar": classify.Calendar, "virus": classify.VirusNotice,
	}[label] == r.Class
}

func printTable(w io.Writer, table map[string]map[string]int, misses []string) {
	columns := map[string]bool{}
	for _, row := range table {
		for c := range row {
			columns[c] = true
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
	names := slices.Sorted(maps.Keys(columns))
	fmt.Fprintf(tw, "\t%s\t\n", strings.Join(names, "\t"))
	for _, label := range slices.Sorted(maps.Keys(table)) {
		fmt.Fprintf(tw, "%s\t", label)
		for _, c := range names {
			fmt.Fprintf(tw, "%s\t", strings.TrimPrefix(fmt.Sprint(cmp.Or(table[label][c], -1)), "-1"))
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
	slices.Sort(misses)
	for _, miss := range misses {
		fmt.Fprintln(w, miss)
	}
}
