package convert

// Director is filled in by the next commit.
type Director struct{}
