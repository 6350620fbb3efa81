package main

import (
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// excuse says why no test can exercise something.
type excuse struct {
	Operation string `yaml:"operation"`
	What      string `yaml:"what"` // as a complaint words it
	Reason    string `yaml:"reason"`
}

func readExcuses(raw []byte) (map[promise]string, error) {
	var list []excuse
	if err := yaml.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("decode excused.yaml: %w", err)
	}
	excused := map[promise]string{}
	for _, e := range list {
		if e.Operation == "" || e.What == "" || e.Reason == "" {
			return nil, errors.New("an excuse has an operation, a what and a reason")
		}
		excused[promise{e.Operation, e.What}] = e.Reason
	}
	return excused, nil
}

// count tells how much the document promises and how much of it was seen.
func count(wanted []promise, seen map[promise]bool, excused map[promise]string) string {
	operations, exercised := map[string]bool{}, 0
	for _, p := range wanted {
		operations[p.operation] = true
		if seen[p] {
			exercised++
		}
	}
	return fmt.Sprintf("%d operations promise %d answers and credentials; %d exercised, %d excused", len(operations), len(wanted), exercised, len(excused))
}

// compare lists, sorted, what is missing and which excuses are needless.
func compare(wanted []promise, seen map[promise]bool, excused map[promise]string) []string {
	var complaints []string
	for _, p := range wanted {
		if _, ok := excused[p]; !seen[p] && !ok {
			complaints = append(complaints, "not exercised by any test: "+p.String())
		}
	}
	for p := range excused {
		switch {
		case seen[p]:
			complaints = append(complaints, "excused, but a test exercises it: "+p.String())
		case !slices.Contains(wanted, p):
			complaints = append(complaints, "excused, but the document does not promise it: "+p.String())
		}
	}
	slices.Sort(complaints)
	return complaints
}
