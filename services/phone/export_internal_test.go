package phone

// Express is express, for tests with the zones that Go embeds instead of the machine's.
var Express = express
