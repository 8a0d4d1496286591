/** Text files that a bundle takes in as they are. */
declare module "*.txt" {
  const text: string;
  export default text;
}
