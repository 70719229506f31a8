// GraphQL Yoga: queries, variables, mutations, errors, subscriptions as server-sent events.

import { createSchema, createYoga } from "graphql-yoga";

const books = [{ id: "1", title: "One", pages: 10 }];

const yoga = createYoga({
  logging: false,
  graphqlEndpoint: "/graphql",
  schema: createSchema({
    typeDefs: `
      type Book { id: ID! title: String! pages: Int shout: String! }
      type Query {
        books(longer: Int = 0): [Book!]!
        book(id: ID!): Book
        fail: String
        hello(name: String): String
      }
      type Mutation { add(title: String!, pages: Int): Book! }
      type Subscription { count(to: Int!): Int! }
    `,
    resolvers: {
      Book: { shout: ({ title }) => `${title.toUpperCase()}!` },
      Query: {
        books: (_, { longer }) => books.filter(({ pages }) => (pages ?? 0) > longer),
        book: (_, { id }) => books.find((book) => book.id === id) ?? null,
        fail: () => {
          throw new Error("hidden");
        },
        hello: (_, { name }, { request }) => `${request.method} ${name ?? "nobody"}`,
      },
      Mutation: {
        add: (_, { title, pages }) => {
          const book = { id: String(books.length + 1), title, pages };
          books.push(book);
          return book;
        },
      },
      Subscription: {
        count: {
          async *subscribe(_, { to }) {
            for (let i = 1; i <= to; i++) yield { count: i };
          },
        },
      },
    },
  }),
});

async function ask(query, variables, extra = {}) {
  const response = await yoga.fetch("http://app.example/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", ...extra },
    body: JSON.stringify({ query, variables }),
  });
  return [response.status, response.headers.get("content-type"), await response.text()];
}

async function plain(path, init) {
  const response = await yoga.fetch(`http://app.example${path}`, init);
  const text = await response.text();
  return [response.status, response.headers.get("content-type"), text.slice(0, 40)];
}

export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname === "/graphql") return yoga.fetch(request, env, ctx);
    const events = { accept: "text/event-stream" };
    return Response.json({
      query: await ask("{ books { id title shout } }"),
      variables: await ask("query Q($n: Int) { books(longer: $n) { title } }", { n: 100 }),
      mutation: await ask('mutation { add(title: "Two", pages: 200) { id pages } }'),
      after: await ask('{ books { title } book(id: "2") { shout } none: book(id: "9") { id } }'),
      fragment: await ask("{ books { ...F } } fragment F on Book { id }"),
      method: await ask('{ hello(name: "you") }'),
      masked: await ask("{ fail }"),
      syntax: await ask("{ books {"),
      unknown: await ask("{ pages }"),
      missing: await ask("query Q($id: ID!) { book(id: $id) { id } }"),
      introspection: (await ask("{ __schema { queryType { name } } }"))[2],
      subscription: await ask("subscription { count(to: 3) }", undefined, events),
      get: await plain("/graphql?query=%7Bhello%7D", { headers: { accept: "application/json" } }),
      "get mutation": await plain(
        "/graphql?query=mutation%7Badd(title%3A%22x%22)%7Bid%7D%7D",
        { headers: { accept: "application/json" } },
      ),
      page: await plain("/graphql", { headers: { accept: "text/html" } }),
      elsewhere: await plain("/other"),
      health: await plain("/health"),
    });
  },
};
