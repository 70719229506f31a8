// A module below the main module's folder.
export const greet = (name) => `hello ${name}`;
