// zod: parsing, coercion, refinement, transformation, unions, errors and JSON Schema.

import { z } from "zod";

const User = z.object({
  id: z.uuid(),
  name: z.string().trim().min(2).max(20),
  email: z.email().optional(),
  age: z.coerce.number().int().nonnegative(),
  role: z.enum(["admin", "user"]).default("user"),
  tags: z.array(z.string()).max(3).catch([]),
  born: z.iso.date().transform((text) => new Date(text).getUTCFullYear()),
}).strict();

const Shape = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("circle"), radius: z.number().positive() }),
  z.object({ kind: z.literal("square"), side: z.number().positive() }),
]);

const Password = z.object({ a: z.string(), b: z.string() })
  .refine(({ a, b }) => a === b, { error: "must be equal", path: ["b"] });

const Tree = z.object({
  value: z.number(),
  get children() {
    return z.array(Tree);
  },
});
const Later = z.string().refine(async (text) => text === "right", "not right");

const good = {
  id: "123e4567-e89b-42d3-a456-426614174000",
  name: "  Ann  ",
  age: "42",
  tags: ["x"],
  born: "2000-01-02",
};

function outcome(schema, value) {
  const result = schema.safeParse(value);
  return result.success ? result.data : result.error.issues;
}

export default {
  async fetch() {
    const later = async (text) => {
      const result = await Later.safeParseAsync(text);
      return result.success ? result.data : result.error.issues;
    };
    let thrown;
    try {
      User.parse({});
    } catch (error) {
      thrown = [error.name, error instanceof z.ZodError, z.prettifyError(error)];
    }
    return Response.json({
      good: outcome(User, good),
      bad: outcome(User, { ...good, id: "1", name: "x", email: "y", age: -1, extra: 1 }),
      caught: outcome(User, { ...good, tags: [1] }),
      circle: outcome(Shape, { kind: "circle", radius: 2 }),
      shapeless: outcome(Shape, { kind: "line" }),
      refined: outcome(Password, { a: "x", b: "y" }),
      tree: outcome(Tree, { value: 1, children: [{ value: 2, children: [] }] }),
      "tree broken": outcome(Tree, { value: 1, children: [{ value: "2", children: [] }] }),
      bigint: outcome(z.bigint(), "1"),
      map: outcome(z.map(z.string(), z.number()), new Map([["a", "b"]])),
      file: outcome(z.file().max(2), new File(["abc"], "a.txt")),
      url: outcome(z.url(), "not one"),
      template: outcome(z.templateLiteral(["v", z.number()]), "v12"),
      async: [await later("right"), await later("wrong")],
      schema: z.toJSONSchema(User, { io: "input" }),
      tree2: z.treeifyError(User.safeParse({ ...good, name: "x" }).error),
      thrown,
    });
  },
};
